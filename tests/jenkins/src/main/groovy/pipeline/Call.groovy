package pipeline

import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*

/**
 * One statement of the Jenkinsfile: a name, what stands behind it, and its block, none of it executed yet.
 * `NAME = value` is a call of NAME with the value, and `assigned`.
 */
class Call {
    final String name
    final int line
    final List<Expression> positional
    final Map<String, Expression> named
    final ClosureExpression block
    final boolean assigned
    private List<Call> statements

    Call(String name, int line, List<Expression> arguments, boolean assigned = false) {
        this.name = name
        this.line = line
        this.assigned = assigned
        block = arguments && arguments.last() instanceof ClosureExpression ? arguments.last() : null
        def words = block ? arguments.init() : arguments
        def pairs = words.findAll { it instanceof MapExpression }*.mapEntryExpressions.flatten()
        named = pairs.collectEntries { [(it.keyExpression.text): it.valueExpression] }
        positional = words.findAll { !(it instanceof MapExpression) }
    }

    /** The statements of its block. */
    List<Call> getBody() {
        if (statements == null) {
            statements = block ? block.code.statements.collect { of(it) } : []
        }
        statements
    }

    /** The first call of that name in its block, or null. */
    Call get(String called) {
        body.find { it.name == called }
    }

    /** What was said for the parameter `key`, by name or, where it may, without; or null. */
    Expression argument(String key, boolean first = false) {
        named[key] ?: (first && positional ? positional[0] : null)
    }

    static Call of(Statement statement) {
        if (!(statement instanceof ExpressionStatement)) {
            throw new PipelineError(statement.lineNumber, 'this is Groovy and no directive or step: let a make target do it')
        }
        of(statement.expression)
    }

    static Call of(Expression expression) {
        if (expression instanceof BinaryExpression && expression.operation.text == '=') {
            return new Call(expression.leftExpression.text, expression.lineNumber, [expression.rightExpression], true)
        }
        if (!(expression instanceof MethodCallExpression) || !expression.implicitThis) {
            throw new PipelineError(expression.lineNumber, "`$expression.text` is no directive or step")
        }
        new Call(expression.methodAsString, expression.lineNumber, expression.arguments.expressions)
    }
}
