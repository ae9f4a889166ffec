package pipeline

import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.MultipleCompilationErrorsException
import org.codehaus.groovy.control.Phases

/** Reads a Jenkinsfile as Groovy does, and runs none of it. */
class Source {
    /** Its `pipeline` call; PipelineError with the line where it is no Groovy, or more than one pipeline. */
    static Call read(String text) {
        def unit = new CompilationUnit()
        unit.addSource('Jenkinsfile', text)
        try {
            unit.compile(Phases.CONVERSION)
        } catch (MultipleCompilationErrorsException broken) {
            def cause = broken.errorCollector.getSyntaxError(0)
            throw new PipelineError(cause.line, cause.originalMessage)
        }
        def calls = unit.AST.modules[0].statementBlock.statements.collect { Call.of(it) }
        if (calls*.name != ['pipeline']) {
            def odd = calls.find { it.name != 'pipeline' } ?: calls[-1]
            throw new PipelineError(odd ? odd.line : 1, 'a declarative Jenkinsfile is one pipeline { } and nothing else')
        }
        calls[0]
    }
}
