package pipeline

import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/** The Jenkinsfile keeps every promise. */
@RunWith(Parameterized)
class JenkinsfileTest {
    @Parameterized.Parameters(name = '{0}')
    static List<Object[]> promises() {
        Promises.ALL.collect { [it.key, it.value] as Object[] }
    }

    private final Closure promise

    JenkinsfileTest(String name, Closure promise) {
        this.promise = promise
    }

    @Test
    void isKept() {
        promise(Given.JENKINSFILE)
    }
}
