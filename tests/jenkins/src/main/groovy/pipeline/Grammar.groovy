package pipeline

/**
 * What of Jenkins' declarative pipelines is known here: which call may stand in which block, with which parameters.
 * Directives after the handbook of Jenkins (Pipeline Syntax), steps after the plugins that docs/how-to/set-up-jenkins.md
 * names. What is not in these tables is an error; a Jenkinsfile that wants more adds a line.
 */
class Grammar {
    static final Closure ANYTHING = { true }
    static final List UNITS = ['SECONDS', 'MINUTES', 'HOURS', 'DAYS']
    static final List POST = ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable',
                              'unsuccessful', 'cleanup'] // in the order in which Jenkins runs them
    static final List NEEDS_NODE = ['sh', 'junit', 'archiveArtifacts', 'publishHTML', 'stash', 'unstash',
                                    'cleanWs', 'checkout']
    static final List BUILT_IN = ['BRANCH_NAME', 'BUILD_NUMBER', 'BUILD_URL', 'JOB_NAME', 'WORKSPACE',
                                  'FOVEA_MAIL_TO', 'FOVEA_REGISTRY']
    static final List OF_BUILD = ['currentResult', 'fullDisplayName', 'number']

    private static final Map TIMEOUT = [time: Integer, unit: UNITS]
    private static final Map PARAMETER = [name: String, description: String]

    /** Block → name → form. */
    static final Map<String, Map<String, Form>> BLOCKS = [
        pipeline: [
            agent: new Form(block: 'agent', optionalBlock: true, first: 'kind', parameters: [kind: ['any', 'none']]),
            options: new Form(block: 'pipeline options'), parameters: new Form(block: 'parameters'),
            environment: new Form(block: 'environment'), triggers: new Form(block: 'triggers'),
            stages: new Form(block: 'stages'), post: new Form(block: 'post')],
        stages: [stage: new Form(first: 'name', parameters: [name: String], required: ['name'], block: 'stage', many: true)],
        stage: [
            agent: new Form(block: 'agent', optionalBlock: true, first: 'kind', parameters: [kind: ['any', 'none']]),
            options: new Form(block: 'stage options'), environment: new Form(block: 'environment'),
            when: new Form(block: 'when'), input: new Form(block: 'input'), steps: new Form(block: 'steps'),
            stages: new Form(block: 'stages'), parallel: new Form(block: 'stages'),
            failFast: new Form(first: 'value', parameters: [value: Boolean], required: ['value']),
            post: new Form(block: 'post')],
        agent: [
            label: one('label'), kubernetes: new Form(block: 'kubernetes')],
        kubernetes: ['yamlFile', 'yaml', 'defaultContainer', 'inheritFrom', 'cloud', 'namespace'].collectEntries {
            [(it): one(it)] },
        'pipeline options': [
            buildDiscarder: new Form(first: 'strategy', parameters: [strategy: 'logRotator'], required: ['strategy']),
            disableConcurrentBuilds: new Form(parameters: [abortPrevious: Boolean]),
            skipStagesAfterUnstable: new Form(), parallelsAlwaysFailFast: new Form(),
            skipDefaultCheckout: new Form(first: 'skip', parameters: [skip: Boolean]),
            timestamps: new Form(), retry: new Form(first: 'count', parameters: [count: Integer], required: ['count']),
            timeout: new Form(parameters: TIMEOUT, required: ['time'])],
        'stage options': [
            skipDefaultCheckout: new Form(first: 'skip', parameters: [skip: Boolean]),
            timestamps: new Form(), retry: new Form(first: 'count', parameters: [count: Integer], required: ['count']),
            timeout: new Form(parameters: TIMEOUT, required: ['time'])],
        parameters: [
            string: new Form(parameters: PARAMETER + [defaultValue: String, trim: Boolean], required: ['name'], many: true),
            choice: new Form(parameters: PARAMETER + [choices: List], required: ['name', 'choices'], many: true),
            booleanParam: new Form(parameters: PARAMETER + [defaultValue: Boolean], required: ['name'], many: true)],
        triggers: [
            cron: one('spec'), pollSCM: one('spec'),
            upstream: new Form(parameters: [upstreamProjects: String, threshold: ANYTHING], required: ['upstreamProjects'])],
        when: conditions() + ['beforeAgent', 'beforeInput', 'beforeOptions'].collectEntries {
            [(it): new Form(first: 'value', parameters: [value: Boolean], required: ['value'])] },
        conditions: conditions(),
        input: [
            message: one('message'), ok: one('ok'), submitter: one('submitter'), submitterParameter: one('name'), id: one('id'),
            parameters: new Form(block: 'parameters')],
        post: POST.collectEntries { [(it): new Form(block: 'steps')] },
        steps: [
            sh: step('script', [script: String, label: String]),
            echo: step('message', [message: String]), error: step('message', [message: String]),
            unstable: step('message', [message: String]),
            junit: step('testResults', [testResults: String, allowEmptyResults: Boolean, keepLongStdio: Boolean]),
            archiveArtifacts: step('artifacts', [artifacts: String, excludes: String, fingerprint: Boolean,
                                                 allowEmptyArchive: Boolean, onlyIfSuccessful: Boolean]),
            publishHTML: step('target', [target: Map]),
            stash: step('name', [name: String, includes: String, excludes: String, allowEmpty: Boolean]),
            unstash: step('name', [name: String]), cleanWs: step(null, [deleteDirs: Boolean, notFailBuild: Boolean]),
            checkout: step('scm', [scm: ANYTHING]),
            mail: new Form(parameters: ['to', 'cc', 'from', 'subject', 'body'].collectEntries { [(it): String] },
                required: ['to', 'subject', 'body'], many: true),
            retry: step('count', [count: Integer], 'steps'),
            timeout: new Form(parameters: TIMEOUT, required: ['time'], block: 'steps', many: true),
            withCredentials: step('bindings', [bindings: List], 'steps')]]

    /** Calls that are values: where they may stand is said by the parameter or the block that takes them. */
    static final Map<String, Form> VALUES = [
        credentials: one('id'),
        logRotator: new Form(parameters: ['numToKeepStr', 'daysToKeepStr', 'artifactNumToKeepStr', 'artifactDaysToKeepStr']
            .collectEntries { [(it): String] }),
        string: new Form(parameters: [credentialsId: String, variable: String], required: ['credentialsId', 'variable']),
        file: new Form(parameters: [credentialsId: String, variable: String], required: ['credentialsId', 'variable']),
        usernamePassword: new Form(parameters: [credentialsId: String, usernameVariable: String, passwordVariable: String],
            required: ['credentialsId', 'usernameVariable', 'passwordVariable'])]

    static final Map HTML = [reportName: String, reportDir: String, reportFiles: String, includes: String,
                             allowMissing: Boolean, alwaysLinkToLastBuild: Boolean, keepAll: Boolean]

    private static Form one(String name) {
        new Form(first: name, parameters: [(name): String], required: [name])
    }

    private static Form step(String first, Map parameters, String block = null) {
        new Form(first: first, parameters: parameters, required: first ? [first] : [], block: block, many: true)
    }

    private static Map<String, Form> conditions() {
        [branch: many('pattern'), changeset: many('glob'), triggeredBy: many('cause'), changeRequest: new Form(many: true),
         equals: new Form(parameters: [expected: ANYTHING, actual: ANYTHING], required: ['expected', 'actual'], many: true),
         environment: new Form(parameters: [name: String, value: String], required: ['name', 'value'], many: true),
         expression: new Form(block: 'expression', many: true), not: new Form(block: 'conditions', many: true),
         anyOf: new Form(block: 'conditions', many: true), allOf: new Form(block: 'conditions', many: true)]
    }

    private static Form many(String name) {
        new Form(first: name, parameters: [(name): String], required: [name], many: true)
    }
}

/** How a call is written: its parameters and their types, which of them may stand without its name, and its block. */
class Form {
    String first
    Map<String, Object> parameters = [:]
    List<String> required = []
    String block
    boolean optionalBlock
    boolean many
}
