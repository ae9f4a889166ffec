package pipeline

import static org.junit.Assume.assumeTrue

import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/** Every step's target and its variables are in the Makefile. */
@RunWith(Parameterized)
class MakefileTest {
    static final String MAKEFILE = new File(Given.ROOT, 'Makefile').text
    /** Doors of the pipelines, which come with them. */
    static final List AWAITED = []

    @Parameterized.Parameters(name = '{0}')
    static List<Object[]> scripts() {
        Promises.scripts(Given.JENKINSFILE).unique().collect { [it] as Object[] }
    }

    private final String script

    MakefileTest(String script) {
        this.script = script
    }

    static boolean has(String target) {
        MAKEFILE =~ /(?m)^$target:/
    }

    @Test
    void isInTheMakefile() {
        def target = script.split(' ')[1]
        assumeTrue("the Makefile has no $target yet" as String, has(target) || !(target in AWAITED))
        assert has(target)
        (script =~ / ([A-Z]+)=/).collect { it[1] }.each { variable ->
            assert MAKEFILE =~ /\$\((?:[\w-]+ [\w ]*,)?\$?\(?$variable\)/ || MAKEFILE.contains("\$($variable)")
        }
    }
}
