package pipeline

/** The Jenkinsfile, and builds of it as they happen. */
class Given {
    static final File ROOT = new File(System.getProperty('checkout') ?: '../..').canonicalFile
    static final String TEXT = new File(ROOT, 'Jenkinsfile').text
    static final Call JENKINSFILE = Build.check(TEXT)
    static final Map CREDENTIALS = [
        'fovea-mlflow': 'token-of-mlflow', 'fovea-registry': [username: 'pusher', password: 'password-of-registry'],
        'fovea-staging-kubeconfig': [file: '/run/staging.kubeconfig'], 'fovea-staging-values': [file: '/run/staging.yaml'],
        'fovea-production-kubeconfig': [file: '/run/production.kubeconfig'],
        'fovea-production-values': [file: '/run/production.yaml']]

    /** A full training that somebody started to go to production, and approved. */
    static Build production(Map outcomes = [:], Map more = [:], Call pipeline = JENKINSFILE) {
        build([cause: 'UserIdCause', params: [TRAINING: 'full', TARGET: 'production'], answers: [Approve: 'proceed']] + more,
            outcomes, pipeline)
    }

    /** A push. */
    static Build push(Map outcomes = [:], Map more = [:], Call pipeline = JENKINSFILE) {
        build([:] + more, outcomes, pipeline)
    }

    /** What the timer starts at night. */
    static Build night(Map outcomes = [:], Map more = [:], Call pipeline = JENKINSFILE) {
        build([cause: 'TimerTrigger'] + more, outcomes, pipeline)
    }

    private static Build build(Map setting, Map outcomes, Call pipeline) {
        Build.run(pipeline, new Setting([credentials: CREDENTIALS, shell: new Recorder(outcomes: outcomes)] + setting))
    }
}
