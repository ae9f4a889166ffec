package pipeline

import static groovy.test.GroovyAssert.shouldFail

import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The executor does what Jenkins does, on pipelines of a few lines. */
class ExecutorTest {
    @Rule
    public TemporaryFolder scratch = new TemporaryFolder()

    private static Build run(String text, Map outcomes = [:], Map setting = [:]) {
        Build.run(Build.check(text), new Setting([shell: new Recorder(outcomes: outcomes)] + setting))
    }

    private static Build posts(String previous, Map outcomes, String inside = "sh 'make it'") {
        def blocks = Grammar.POST.reverse().collect { "$it { echo '$it' }" }.join('\n')
        run(Small.with(steps: inside, stage: "post { $blocks }"), outcomes, [previous: previous])
    }

    private static List<String> said(Build build) {
        build.during('A').findAll { it.startsWith('echo ') }*.substring(5)
    }

    @Test
    void postRunsInTheOrderOfJenkins() {
        assert said(posts('SUCCESS', [:])) == ['always', 'success', 'cleanup']
        assert said(posts('FAILURE', [:])) == ['always', 'changed', 'fixed', 'success', 'cleanup']
        assert said(posts('SUCCESS', [it: [status: 1]])) ==
            ['always', 'changed', 'regression', 'failure', 'unsuccessful', 'cleanup']
        assert said(posts('UNSTABLE', [:], "unstable 'hm'")) == ['always', 'unstable', 'unsuccessful', 'cleanup']
        assert said(posts('SUCCESS', [it: [minutes: 9]], "timeout(time: 5) { sh 'make it' }")) ==
            ['always', 'changed', 'regression', 'aborted', 'unsuccessful', 'cleanup']
    }

    @Test
    void afterAnErrorInPostTheOthersRun() {
        def build = run(Small.with(stage: "post { always { error 'oh' }\n cleanup { echo 'swept' } }"))
        assert build.result == 'FAILURE'
        assert 'echo swept' in build.during('A')
    }

    @Test
    void aTimeoutLeavesItsPostOneMinute() {
        def text = Small.with(steps: "sh 'make it'", stage: "options { timeout(time: 5) }\n post { always { sh 'make back'\n sh 'make more' } }")
        def short_ = run(text, [it: [minutes: 9], back: [minutes: 0]])
        assert short_.result == 'ABORTED' && short_.targets == ['it', 'back', 'more']
        assert run(text, [it: [minutes: 9], back: [minutes: 2]]).targets == ['it', 'back']
        assert run(text, [it: [minutes: 4], back: [minutes: 0]]).result == 'SUCCESS'
    }

    @Test
    void theOuterOfTwoTimeoutsHolds() {
        def build = run(Small.with(pipeline: '', stage: 'options { timeout(time: 5) }',
            steps: "timeout(time: 1, unit: 'HOURS') { sh 'make it' }"), [it: [minutes: 9]])
        assert build.result == 'ABORTED'
    }

    @Test
    void retriesFailuresAndItsOwnTimeoutsButNotOuterOnes() {
        def text = Small.with(steps: "retry(3) { timeout(time: 5) { sh 'make it' } }")
        assert run(text, [it: [[status: 1], [minutes: 9], [status: 0]]]).result == 'SUCCESS'
        assert run(text, [it: [status: 1]]).targets == ['it'] * 3
        def outer = Small.with(steps: "timeout(time: 5) { retry(3) { sh 'make it' } }")
        assert run(outer, [it: [minutes: 9]]).targets == ['it']
    }

    @Test
    void conditions() {
        def holds = { String when, Map setting = [:] ->
            !run(Small.with(stage: "when { $when }", pipeline: "parameters { string(name: 'P', defaultValue: 'x') }"), [:], setting)
                .during('A').contains('skipped: when')
        }
        assert holds("branch 'main'") && holds("branch 'ma*'") && !holds("branch 'm'")
        assert holds("branch 'feature/**'", [branch: 'feature/a/b']) && !holds("branch 'feature/*'", [branch: 'feature/a/b'])
        assert holds("changeset '**/*.py'", [changes: ['a/b.py']]) && holds("changeset '**/*.py'", [changes: ['b.py']])
        assert !holds("changeset 'docs/**'", [changes: ['a/docs/x']])
        assert holds("triggeredBy 'TimerTrigger'", [cause: 'TimerTrigger']) && !holds("triggeredBy 'TimerTrigger'")
        assert holds('changeRequest()', [branch: 'PR-3']) && !holds('changeRequest()')
        assert holds("environment name: 'E', value: '1'", [env: [E: '1']]) && !holds("environment name: 'E', value: '1'")
        assert holds("equals expected: 'x', actual: params.P") && !holds("equals expected: 'x', actual: params.P", [params: [P: 'y']])
        assert holds("expression { params.P == 'x' && !(env.BRANCH_NAME == 'dev') }")
        assert !holds("not { branch 'main' }") && !holds("branch 'main'\n branch 'dev'")
        assert holds("anyOf { branch 'main'\n branch 'dev' }") && !holds("allOf { branch 'main'\n branch 'dev' }")
    }

    @Test
    void beforeAgentTakesNoAgent() {
        def agents = { String flag ->
            run(Small.with(stage: "agent { label 'gpu' }\n when { $flag\n branch 'dev' }")).during('A').count('agent: gpu')
        }
        assert agents('beforeAgent true') == 0 && agents('beforeAgent false') == 1
    }

    @Test
    void beforeInputAsksNobody() {
        def asked = { String flag ->
            run(Small.with(stage: "input { message 'go?' }\n when { $flag\n branch 'dev' }"), [:], [answers: [A: 'proceed']])
                .during('A').count('input: go?')
        }
        assert asked('beforeInput true') == 0 && asked('beforeInput false') == 1
    }

    @Test
    void credentialsAreThereAndMasked() {
        def text = Small.with(stage: "environment { K = credentials('login') }",
            steps: "sh 'make in AS=\"\$K_USR\" BY=\"\$K_PSW\"'\n withCredentials([string(credentialsId: 'word', variable: 'W')]) { sh 'make go W=\"\$W\"' }")
        def build = run(text, [:], [credentials: [login: [username: 'me', password: 'pa55'], word: 'w0rd']])
        assert build.commands == ['make in AS="me" BY="****"', 'make go W="****"']
        assert shouldFail(PipelineError) { run(text) }.message.contains("no credentials 'login'")
    }

    @Test
    void credentialsEndWithTheirBlock() {
        def text = Small.with(steps: "withCredentials([string(credentialsId: 'word', variable: 'W')]) { echo 'x' }\n sh 'make go W=\"\$W\"'")
        assert shouldFail(PipelineError) { run(text, [:], [credentials: [word: 'w0rd']]) }.message.contains('$W is not set')
    }

    @Test
    void aStepThatNeedsAnAgentHasOne() {
        def text = Small.with(steps: "sh 'make it'").replace('agent any', 'agent none')
        assert shouldFail(PipelineError) { Build.check(text) }.message.contains('sh needs an agent')
    }

    @Test
    void parametersThatNobodyDeclaredAreRefused() {
        assert shouldFail(PipelineError) { run(Small.with([:]), [:], [params: [TYPO: '1']]) }.message.contains('TYPO')
    }

    @Test
    void whatIsStashedOnOneAgentIsOnTheNext() {
        def text = Small.with(steps: "sh 'mkdir -p out/deep && echo 1 > out/deep/a.txt && echo 2 > out/b.tmp'\n stash name: 's', includes: 'out/**', excludes: '**/*.tmp'")
            .replace("    }\n  }\n}", "    }\n    stage('B') { agent { label 'b' }\n steps { unstash 's'\n sh 'find out -type f; test -f out/deep/a.txt -a ! -e out/b.tmp' } }\n  }\n}")
        assert terminal(text).result == 'SUCCESS'
        assert terminal(text.replace("unstash 's'", "echo 'no'")).result == 'FAILURE'
    }

    @Test
    void realScriptsFailAreStoppedAndMasked() {
        assert terminal(Small.with(steps: "sh 'echo a; false; echo b'")).result == 'FAILURE'
        def begun = System.nanoTime()
        def slow = terminal(Small.with(steps: "timeout(time: 1, unit: 'SECONDS') { sh 'sleep 60 & wait' }"))
        assert slow.result == 'ABORTED' && System.nanoTime() - begun < 20e9
        def secret = terminal(Small.with(stage: "environment { K = credentials('k') }", steps: "sh 'echo \"\$K\"'"), [k: 's3cret'])
        assert '****' in secret.console.lines && !secret.console.lines.any { it.contains('s3cret') }
    }

    @Test
    void realReportsAreRead() {
        def text = Small.with(steps: "sh 'echo \"<testsuite><testcase><failure/></testcase></testsuite>\" > a.xml'\n junit 'a.xml'\n archiveArtifacts 'a.xml'")
        def build = terminal(text)
        assert build.result == 'UNSTABLE' && build.archived == ['a.xml']
        assert terminal(Small.with(steps: "junit 'none.xml'")).result == 'FAILURE'
        assert terminal(Small.with(steps: "archiveArtifacts 'none.xml'")).result == 'FAILURE'
    }

    private Build terminal(String text, Map credentials = [:]) {
        def checkout = scratch.newFolder()
        assert ['git', 'init', '-q', checkout.path].execute().waitFor() == 0
        Build.run(Build.check(text), new Setting(credentials: credentials, shell: new Terminal(checkout: checkout, scratch: scratch.newFolder())))
    }
}
