package pipeline

import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/** A fault planted in the Jenkinsfile breaks a promise: `from` is in the file, and becomes `to`. */
@RunWith(Parameterized)
class FaultsTest {
    private static final String CHECK = "sh 'make check-deployment ENVIRONMENT=production RELEASE=fovea'"
    private static final String BACK = "sh 'make rollback-deployment ENVIRONMENT=production RELEASE=fovea'"

    @Parameterized.Parameters(name = '{0}')
    static List<Object[]> faults() {
        [['no rollback in production', BACK, "echo 'sorry'"],
         ['no rollback in staging', BACK.replace('production', 'staging'), "echo 'sorry'"],
         ['the champion is not put back', "sh 'make rollback'", "echo 'sorry'"],
         ['production goes back in staging', BACK, BACK.replace('production', 'staging')],
         ['goes back only after a failure', /unsuccessful(\s+\{\s+\Q$BACK\E)/, 'failure$1'],
         ['goes back only after an abort', /unsuccessful(\s+\{\s+\Q$BACK\E)/, 'aborted$1'],
         ['the timeout is the stage\'s own, and kills its post', /(stage\('Check production'\) \{)\s+steps \{\s+(timeout\(.*\)) \{\s+(\Q$CHECK\E)\s+\}/,
          '$1 options { $2 }\n steps { $3'],
         ['the check is not timed', /timeout\(.*\) \{\s+(\Q$CHECK\E)\s+\}/, '$1'],
         ['production is not checked', CHECK, "echo 'looks good'"],
         ['promotes before it asks', "sh 'make verify'", "sh 'make promote TASK=\"\$TASK\"'"],
         ['nobody is asked', /input \{\s+message .*\s+ok .*\s+submitter .*\s+\}/, ''],
         ['anybody may say yes', /submitter .*/, ''],
         ['waits with an agent', "stage('Approve') {", "stage('Approve') {\n agent any"],
         ['waits for ever', /options \{\s+timeout\(time: 3, unit: 'DAYS'\)\s+\}/, ''],
         ['every branch is released', /branch 'main'(\s+not)/, '$1'],
         ['another branch is released', /branch 'main'(\s+not)/, "branch 'feature'\$1"],
         ['TARGET none is released', /not \{\s+equals expected: 'none', actual: params.TARGET\s+\}/, ''],
         ['staging is production', "equals expected: 'production', actual: params.TARGET", "equals expected: 'staging', actual: params.TARGET"],
         ['smoke is released', /anyOf \{\s+equals expected: 'full', actual: params.TRAINING\s+triggeredBy 'TimerTrigger'\s+\}(\s+\}\s+stages \{\s+stage\('Images'\))/, '$1'],
         ['the night is forgotten', "triggeredBy 'TimerTrigger'", "triggeredBy 'UpstreamCause'"],
         ['every branch trains at night', /branch 'main'(\s+triggeredBy)/, '$1'],
         ['allOf for anyOf', 'anyOf', 'allOf'],
         ['smoke and full are swapped', "equals expected: 'full'", "equals expected: 'smoke'"],
         ['no load-test gate', "sh 'make gate TASK=\"\$TASK\" PROFILE=\"\$PROFILE\" SLO=\"\$SLO\"'", "echo 'fast'"],
         ['not compared with the champion', "sh 'make evaluate TASK=\"\$TASK\" PROFILE=\"\$PROFILE\"'", "echo 'better'"],
         ['gates another profile', 'PROFILE="$PROFILE" SLO', 'PROFILE=default SLO'],
         ['forgets the objectives', ' SLO="$SLO"', ''],
         ['forgets the data', ' DATA="$DATA"', ''],
         ['always on a CPU', 'label "${params.AGENT}"', "label 'fovea-cpu'"],
         ['images are not scanned', "sh 'make scan-images SCANNER=trivy'", "echo 'safe'"],
         ['licences are not checked', "sh 'make licences'", "echo 'free'"],
         ['nobody knows what is in an image', "sh 'make sbom-images SCANNER=trivy'", "echo 'air'"],
         ['bills without fingerprint', "artifacts: 'build/sbom/*.cdx.json', fingerprint: true", "artifacts: 'build/sbom/*.cdx.json'"],
         ['releases something else', "unstash 'candidate'\n                sh", 'sh'],
         ['nothing is kept for later', /stash name: 'candidate'.*/, "echo 'gone'"],
         ['keeps a candidate that failed', /success(\s+\{\s+archive)/, 'always $1'.replace('always ', 'cleanup')],
         ['artefacts without fingerprint', "artifacts: 'build/model_repository/**', fingerprint: true", "artifacts: 'build/model_repository/**'"],
         ['what failed is not reported', /always(\s+\{\s+junit testResults: 'build\/junit)/, 'success$1'],
         ['unstable is good enough', 'skipStagesAfterUnstable()', ''],
         ['two builds at once', 'disableConcurrentBuilds()', ''],
         ['no night', /triggers \{\s+cron.*\s+\}/, ''],
         ['all checks go on', 'failFast true', 'failFast false'],
         ['the network is trusted', 'retry(2)', ''],
         ['nobody is told of a timeout', /unsuccessful(\s+\{\s+mail)/, 'failure$1'],
         ['nobody is told that it is well again', /fixed(\s+\{)/, 'changed$1'],
         ['a post without an agent', /(fixed \{)/, '$1\n sh \'make clean\''],
         ['a secret in double quotes', "sh 'make promote TASK=\"\$TASK\"'", 'sh "make promote TASK=${params.TASK}"'],
         ['a secret without credentials()', "credentials('fovea-mlflow')", "'token-of-mlflow'"],
         ['credentials that are not there', "credentials('fovea-registry')", "credentials('fovea-register')"],
         ['logic in a step', "sh 'make verify'", "sh 'make verify || true'"],
         ['logic in Groovy', "sh 'make verify'", "if (params.TASK == 'vessels') { sh 'make verify' }"],
         ['script', "sh 'make verify'", "script { sh 'make verify' }"],
         ['misspelt directive', "stage('Export')", "stagez('Export')"],
         ['misspelt section', 'post {', 'posts {'],
         ['misspelt condition', 'triggeredBy', 'triggerdBy'],
         ['misspelt post condition', 'unsuccessful {', 'unsucessful {'],
         ['misspelt step', "sh 'make verify'", "shh 'make verify'"],
         ['misspelt parameter of a step', 'allowEmptyResults', 'allowEmptyResult'],
         ['misspelt parameter of publishHTML', 'reportFiles', 'reportFile'],
         ['misspelt unit', "unit: 'DAYS'", "unit: 'DAY'"],
         ['misspelt option', 'timestamps()', 'timestamp()'],
         ['misspelt params', 'params.TARGET', 'params.TARGETS'],
         ['misspelt variable', '"$PROFILE" SLO', '"$PROFIL" SLO'],
         ['a missing brace', "steps {\n            sh 'make install'\n          }", "steps {\n            sh 'make install'\n          "]
        ].collect { it as Object[] }
    }

    private final String from, to

    FaultsTest(String name, String from, String to) {
        this.from = from
        this.to = to
    }

    @Test
    void isCaught() {
        def text = Given.TEXT
        def planted = text.contains(from) ? text.replace(from, to) : text.replaceAll(from, to)
        assert planted != text: 'the fault is planted nowhere: mend its `from`'
        def pipeline = checked(planted)
        assert pipeline == null || Promises.ALL.any { name, promise -> broken(promise, pipeline) }
    }

    private static Call checked(String text) {
        try {
            return Build.check(text)
        } catch (PipelineError caught) {
            return null
        }
    }

    private static boolean broken(Closure promise, Call pipeline) {
        try {
            promise(pipeline)
            return false
        } catch (AssertionError | PipelineError caught) {
            return true
        }
    }
}
