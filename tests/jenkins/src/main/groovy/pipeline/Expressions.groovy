package pipeline

import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*

/** The few expressions that a Jenkinsfile needs: constants, texts with params, env and currentBuild, comparisons. */
class Expressions {
    /** The one expression in the block of `expression { }`. */
    static Expression condition(Call call) {
        def statements = call.block.code.statements
        def only = statements.size() == 1 ? statements[0] : null
        if (only instanceof ExpressionStatement || only instanceof ReturnStatement) return only.expression
        throw new PipelineError(call.line, 'expression { } takes one expression; logic belongs into a make target')
    }

    /** PipelineError where it reads what is not there, or computes. */
    static void check(Expression value, Set<String> parameters) {
        switch (value) {
            case ConstantExpression: return
            case GStringExpression: value.values.each { check(it, parameters) }; return
            case ListExpression: value.expressions.findAll { !(it instanceof MethodCallExpression) }
                .each { check(it, parameters) }; return
            case MapExpression: value.mapEntryExpressions*.valueExpression.each { check(it, parameters) }; return
            case NotExpression: case BooleanExpression: check(value.expression, parameters); return
            case BinaryExpression: binary(value)
                [value.leftExpression, value.rightExpression].each { check(it, parameters) }; return
            case VariableExpression: if (value.name in ['scm', 'any', 'none']) return; break
            case PropertyExpression: property(value, parameters); return
        }
        throw new PipelineError(value.lineNumber, "`$value.text` is no value that is known here")
    }

    private static void binary(BinaryExpression value) {
        if (!(value.operation.text in ['==', '!=', '&&', '||'])) {
            throw new PipelineError(value.lineNumber, "`$value.operation.text` computes: let a make target do it")
        }
    }

    private static void property(PropertyExpression value, Set<String> parameters) {
        def known = [params: parameters, env: Grammar.BUILT_IN, currentBuild: Grammar.OF_BUILD][value.objectExpression.text]
        if (known == null || !(value.propertyAsString in known)) {
            throw new PipelineError(value.lineNumber, "`$value.text` is not there; there are ${known?.join(', ')}")
        }
    }

    /** Its value, with `scope` for params, env and currentBuild. */
    static Object evaluate(Expression value, Map<String, Map> scope) {
        switch (value) {
            case ConstantExpression: return value.value
            case GStringExpression: return text(value, scope)
            case ListExpression: return value.expressions.collect { evaluate(it, scope) }
            case MapExpression: return value.mapEntryExpressions.collectEntries {
                [(it.keyExpression.text): evaluate(it.valueExpression, scope)] }
            case NotExpression: return !evaluate(value.expression, scope)
            case BooleanExpression: return evaluate(value.expression, scope)
            case BinaryExpression: return compare(value, scope)
            case PropertyExpression: return scope[value.objectExpression.text][value.propertyAsString]
        }
        value.text
    }

    private static String text(GStringExpression value, Map scope) {
        def words = value.strings.collect { it.value }
        def values = value.values.collect { evaluate(it, scope) as String }
        [words, values + ['']].transpose().flatten().join('')
    }

    private static boolean compare(BinaryExpression value, Map scope) {
        def left = evaluate(value.leftExpression, scope)
        switch (value.operation.text) {
            case '&&': return left && evaluate(value.rightExpression, scope)
            case '||': return left || evaluate(value.rightExpression, scope)
            case '==': return left == evaluate(value.rightExpression, scope)
            default: return left != evaluate(value.rightExpression, scope)
        }
    }
}
