package pipeline

import static pipeline.Given.night
import static pipeline.Given.production
import static pipeline.Given.push

/** What the Jenkinsfile promises. Each is asked of the file itself, and of copies with a planted fault. */
class Promises {
    static final List CHECKS = ['install', 'lint', 'licences', 'sbom', 'test-fast', 'test-contracts', 'chart-lint', 'test-chart']
    static final List CANDIDATE = ['train', 'export', 'verify', 'evaluate', 'gate', 'clean']
    static final List IMAGES = ['images', 'scan-images', 'sbom-images', 'push-images']
    static final String STAGING = 'ENVIRONMENT=staging', PRODUCTION = 'ENVIRONMENT=production'

    static final Map<String, Closure> ALL = [
        'a release goes through every stage in order': { Call pipeline ->
            def build = production([:], [:], pipeline)
            assert build.result == 'SUCCESS'
            assert build.targets == CHECKS + CANDIDATE + IMAGES +
                ['deploy', 'check-deployment', 'promote', 'deploy', 'check-deployment']
            assert environments(build) == [STAGING, STAGING, PRODUCTION, PRODUCTION]
        },
        'a push trains for seconds, is not compared and not released': { Call pipeline ->
            ['main', 'feature', 'PR-12'].each { branch ->
                def build = push([:], [branch: branch, changes: ['helm-chart/values.yaml']], pipeline)
                assert build.result == 'SUCCESS'
                assert build.targets == CHECKS + CANDIDATE - ['evaluate']
                assert build.commands.find { it.startsWith('make train') }.endsWith('TRAINER=smoke')
            }
        },
        'the chart is tested where it changed': { Call pipeline ->
            assert !('test-chart' in push([:], [branch: 'feature', changes: ['README.md']], pipeline).targets)
            ['helm-chart/templates/x.yaml', 'tests/helm-chart/test_chart.py'].each {
                assert 'test-chart' in push([:], [branch: 'feature', changes: [it]], pipeline).targets
            }
        },
        'the night trains in full, and stops in staging': { Call pipeline ->
            def build = night([:], [:], pipeline)
            assert build.result == 'SUCCESS'
            assert build.commands.find { it.startsWith('make train') }.endsWith('TRAINER=full')
            assert environments(build) == [STAGING, STAGING]
            assert !('promote' in build.targets)
            def branch = night([:], [branch: 'feature'], pipeline)
            assert branch.targets - CHECKS == CANDIDATE - ['evaluate']
        },
        'only main is released, and only as far as TARGET says': { Call pipeline ->
            assert production([:], [branch: 'feature'], pipeline).targets - CHECKS == CANDIDATE
            assert production([:], [params: [TRAINING: 'full', TARGET: 'none']], pipeline).targets - CHECKS == CANDIDATE
            assert !('promote' in production([:], [params: [TRAINING: 'full', TARGET: 'staging']], pipeline).targets)
        },
        'a smoke training is released under no TARGET': { Call pipeline ->
            def build = production([:], [params: [TRAINING: 'smoke', TARGET: 'production']], pipeline)
            assert build.targets - CHECKS == CANDIDATE - ['evaluate']
        },
        'whatever fails before it, nothing is promoted or deployed': { Call pipeline ->
            (CHECKS + CANDIDATE - ['clean'] + IMAGES).each { target ->
                def build = production([(target): [status: 1]], [:], pipeline)
                assert build.result == 'FAILURE'
                assert build.targets.intersect(['deploy', 'promote', 'rollback']) == []
                assert !(target in CANDIDATE) || build.targets.last() == 'clean'
            }
        },
        'a missed SLO in the gate ends it': { Call pipeline ->
            def build = push([gate: [status: 1, prints: 'p99_ms missed']], [:], pipeline)
            assert build.result == 'FAILURE'
            assert build.during('Candidate').any { it.startsWith('junit build/**/junit.xml') }
            assert !build.during('Candidate').any { it.startsWith('stash') }
            assert 'p99_ms missed' in build.console.lines
        },
        'a missed SLO in staging takes staging back, and promotes nothing': { Call pipeline ->
            def build = production(['check-deployment ENVIRONMENT=staging': [status: 1]], [:], pipeline)
            assert build.result == 'FAILURE'
            assert build.targets.takeRight(3) == ['deploy', 'check-deployment', 'rollback-deployment']
            assert environments(build) == [STAGING] * 3
        },
        'a missed SLO in production takes the deployment and the champion back': { Call pipeline ->
            def build = production(['check-deployment ENVIRONMENT=production': [status: 1]], [:], pipeline)
            assert build.result == 'FAILURE'
            assert build.targets.takeRight(4) == ['deploy', 'check-deployment', 'rollback-deployment', 'rollback']
            assert environments(build).last() == PRODUCTION
        },
        'so does a check that hangs, though going back takes twenty minutes': { Call pipeline ->
            ['staging', 'production'].each { where ->
                def outcomes = [("check-deployment ENVIRONMENT=$where" as String): [minutes: 10_000],
                                'rollback-deployment': [minutes: 20]]
                def build = production(outcomes, [:], pipeline)
                assert build.result == 'ABORTED'
                assert build.commands.findAll { it.startsWith('make rollback-deployment') }.size() == 1
                assert !build.console.lines.any { it.contains('a minute after its timeout') }
                assert ('rollback' in build.targets) == (where == 'production')
            }
        },
        'a deployment that does not come up was taken back by Helm: only the champion goes back': { Call pipeline ->
            def build = production(['deploy ENVIRONMENT=production': [status: 1]], [:], pipeline)
            assert build.targets.takeRight(3) == ['promote', 'deploy', 'rollback']
            def staging = production(['deploy ENVIRONMENT=staging': [status: 1]], [:], pipeline)
            assert staging.targets.last() == 'deploy'
        },
        'a promotion that fails leaves the champion to itself': { Call pipeline ->
            def build = production([promote: [status: 1]], [:], pipeline)
            assert build.result == 'FAILURE'
            assert build.targets.last() == 'promote'
        },
        'production waits for somebody, without an agent and not for ever': { Call pipeline ->
            ['abort', null].each { answer ->
                def build = production([:], [answers: [Approve: answer]], pipeline)
                assert build.result == 'ABORTED'
                assert environments(build) == [STAGING, STAGING]
                assert !('promote' in build.targets)
            }
            def stage = stages(pipeline).find { it.get('input') }
            assert stage.get('agent') == null && stage.get('input').get('submitter')
        },
        'what was checked is what is released': { Call pipeline ->
            def build = production([:], [:], pipeline)
            def candidate = build.during('Candidate')
            assert candidate.findAll { it.startsWith('stash candidate') }.size() == 1
            assert build.during('Build images').first() == 'unstash candidate'
            assert build.during('Promote').take(2) == ['unstash candidate', 'unstash images']
            assert 'unstash images' in build.during('Deploy to staging')
            assert candidate.any { it == 'archiveArtifacts build/model_repository/** true' }
        },
        'what a build is made of is listed and fingerprinted, and a licence that is not allowed ends it': { Call pipeline ->
            def build = production([:], [:], pipeline)
            assert build.during('Licences and SBOM').last() ==
                'archiveArtifacts build/licences/licences.json, build/sbom/environment.cdx.json true'
            assert 'archiveArtifacts build/sbom/*.cdx.json true' in build.during('Scan images')
            assert push([licences: [status: 1]], [:], pipeline).targets == ['install', 'lint', 'licences']
        },
        'parameters reach the make targets': { Call pipeline ->
            def params = [TASK: 'eye_disease', TRAINING: 'full', PROFILE: 'cpu', DATA: '/data/eyes', SLO: 'strict.yaml',
                          TARGET: 'production', AGENT: 'fovea-gpu']
            def build = production([:], [params: params], pipeline)
            def word = { String target -> build.commands.find { it.split(' ')[1] == target } }
            assert word('train') == 'make train TASK="eye_disease" DATA="/data/eyes" TRAINER=full'
            assert word('evaluate') == 'make evaluate TASK="eye_disease" PROFILE="cpu"'
            assert word('export') == 'make export TASK="eye_disease"'
            assert word('gate') == 'make gate TASK="eye_disease" PROFILE="cpu" SLO="strict.yaml"'
            assert word('images') == 'make images REGISTRY="fovea_registry" TAG="7" PROFILE="cpu"'
            assert word('promote') == 'make promote TASK="eye_disease"'
            assert build.during('Candidate').first() == 'agent: fovea-gpu'
        },
        'no secret is seen': { Call pipeline ->
            def build = production([gate: [prints: 'token-of-mlflow'], 'push-images': [prints: 'password-of-registry']], [:], pipeline)
            assert build.console.lines.count { it == '****' } == 2
            assert !(build.console.lines.join('\n') =~ /token-of|password-of|kubeconfig/)
        },
        'tests are reported though they fail, and failed reports release nothing': { Call pipeline ->
            def failed = production(['test-fast': [status: 1]], [:], pipeline)
            assert failed.during('Checks').last().startsWith('junit build/junit/*.xml')
            def unstable = production([:], [failedReports: ['build/**/junit.xml']], pipeline)
            assert unstable.result == 'UNSTABLE'
            assert unstable.targets - CHECKS == CANDIDATE
        },
        'the first failed check stops the others': { Call pipeline ->
            def build = push([lint: [status: 1]], [:], pipeline)
            assert build.targets == ['install', 'lint']
            assert 'stopped: failFast' in build.during('Unit tests')
        },
        'what the network may break is tried twice': { Call pipeline ->
            ['install', 'push-images'].each { target ->
                assert production([(target): [[status: 1], [status: 0]]], [:], pipeline).result == 'SUCCESS'
                assert production([(target): [status: 1]], [:], pipeline).targets.count(target) == 2
            }
        },
        'whoever must know is told': { Call pipeline ->
            def told = { Build build -> build.during('pipeline').findAll { it.startsWith('mail ') } }
            assert told(production([:], [:], pipeline)) == []
            assert told(push([gate: [status: 1]], [:], pipeline)).size() == 1
            assert told(push([gate: [status: 1]], [:], pipeline)).any { it.contains('FAILURE') }
            assert told(push([gate: [minutes: 10_000]], [:], pipeline)).any { it.contains('ABORTED') }
            assert told(push([:], [previous: 'FAILURE'], pipeline)).any { it.contains('Fixed') }
        },
        'every stage that does something has a timeout': { Call pipeline ->
            def timed = { Call stage -> stage.get('options')?.get('timeout') || stage.get('steps').body*.name == ['timeout'] }
            assert stages(pipeline).findAll { it.get('steps') && !timed(it) }.collect { it.positional[0].text } == []
        },
        'one build at a time, and old ones go': { Call pipeline ->
            def options = pipeline.get('options')
            assert ['disableConcurrentBuilds', 'buildDiscarder'].every { options.get(it) }
            assert pipeline.get('triggers')?.get('cron')
        },
        'a step is one make target, and nothing is decided in Groovy': { Call pipeline ->
            scripts(pipeline).each { script ->
                assert script ==~ /make [a-z-]+( [A-Z]+=("[^"]*"|[\w\/.-]+))*/
            }
        }]

    /** `ENVIRONMENT=…` of every command that has one. */
    static List<String> environments(Build build) {
        build.commands.collect { (it =~ /ENVIRONMENT=\w+/) }.findAll { it.find() }*.group()
    }

    static List<Call> stages(Call call) {
        call.body.collectMany { (it.name == 'stage' ? [it] : []) + (it.block && it.name != 'expression' ? stages(it) : []) }
    }

    static List<String> scripts(Call call) {
        call.body.collectMany { (it.name == 'sh' ? [it.positional[0].text] : []) + (it.block && it.name != 'expression' ? scripts(it) : []) }
    }
}
