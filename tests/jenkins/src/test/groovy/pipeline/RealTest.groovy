package pipeline

import static org.junit.Assume.assumeTrue

import org.junit.Test

/** A small change, really taken through every stage up to the load-test gate: trained, exported, verified and served. */
class RealTest {
    private static final List TARGETS = ['install', 'lint', 'licences', 'sbom', 'test-fast', 'test-contracts', 'chart-lint', 'train',
                                         'export', 'verify', 'gate', 'clean']

    @Test
    void aSmallChangeGetsThroughTheGate() {
        assumeTrue('runs with -Dreal=<folder for its workspaces>', System.getProperty('real') != null)
        def missing = TARGETS.findAll { !MakefileTest.has(it) }
        assumeTrue("the Makefile has no ${missing.join(', ')} yet" as String, missing.empty)
        def build = Build.run(Given.JENKINSFILE, new Setting(branch: 'feature', changes: ['README.md'],
            params: [DATA: System.getProperty('data')], credentials: Given.CREDENTIALS, shell: terminal()))
        new File(System.getProperty('real'), 'console.log').text = build.console.lines.join('\n')
        assert build.targets == TARGETS
        assert build.result == 'SUCCESS': build.console.lines.takeRight(30).join('\n')
        assert build.archived.any { it.endsWith('junit.xml') }
        assert build.archived.any { it.startsWith('build/model_repository/') && it.endsWith('SHA256SUMS') }
    }

    /** Unit and contract tests run a few of their kind, and look nowhere else: the rest of them is what runs this test. */
    private static Terminal terminal() {
        def here = ['benchmarks', 'conftest.py', 'helm-chart', 'model_repository', 'tasks']
        def elsewhere = (new File(Given.ROOT, 'tests').list() as List) - here
        new Terminal(checkout: Given.ROOT, scratch: new File(System.getProperty('real')), environment: System.getProperty('venv'),
            env: [PYTEST_ADDOPTS: '-k "test_metrics or test_contract and not exported or test_lints_strictly" -m "not slow" ' +
                                  elsewhere.collect { "--ignore=tests/$it" }.join(' '),
                  MYPY_CACHE_DIR: new File(Given.ROOT, '.mypy_cache').path, CUDA_VISIBLE_DEVICES: ''])
    }
}
