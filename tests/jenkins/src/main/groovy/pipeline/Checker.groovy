package pipeline

import org.codehaus.groovy.ast.expr.*

/** Holds every call of a Jenkinsfile to the grammar before anything runs: what is not known is an error at its line. */
class Checker {
    final Set<String> parameters = []
    private final Set<String> names = []

    /** PipelineError at the first thing that is wrong. */
    static void check(Call pipeline) {
        def checker = new Checker()
        checker.parameters.addAll((pipeline.get('parameters')?.body ?: []).collect { it.argument('name')?.text })
        checker.block('pipeline', pipeline, [node: false, parallel: false])
        ['agent', 'stages'].each { if (!pipeline.get(it)) fail(pipeline, "pipeline has no $it") }
    }

    private void block(String kind, Call holder, Map where) {
        if (holder.body.empty) fail(holder, "$holder.name { } is empty")
        where = where + [node: where.node || hasNode(holder)]
        def seen = [] as Set
        holder.body.each { call ->
            def form = kind == 'environment' ? variable(call) : Grammar.BLOCKS[kind][call.name]
            if (form == null) unknown(call, kind)
            if (!seen.add(call.name) && !form.many) fail(call, "$call.name stands twice in $holder.name")
            single(call, form, where + [section: kind])
        }
        if (kind == 'stage') stage(holder, where)
    }

    private static void unknown(Call call, String kind) {
        def known = Grammar.BLOCKS[kind].keySet().sort()
        def sort = kind == 'steps' ? 'step' : 'directive or condition'
        fail(call, "unknown $sort '$call.name' in $kind; known: ${known.join(', ')}")
    }

    private static Form variable(Call call) {
        if (!call.assigned) fail(call, "environment takes NAME = value, not $call.name")
        new Form(first: 'value', parameters: [value: 'environment'], required: ['value'])
    }

    private static boolean hasNode(Call holder) {
        def agent = holder.name in ['pipeline', 'stage'] ? holder.get('agent') : null
        agent != null && !(agent.positional && agent.positional[0].text == 'none')
    }

    private void single(Call call, Form form, Map where) {
        arguments(call, form)
        if (call.name in Grammar.NEEDS_NODE && where.section == 'steps' && !where.node) {
            fail(call, "$call.name needs an agent, and none is here")
        }
        if (form.block == null || call.block == null) {
            if (call.block != null) fail(call, "$call.name takes no block")
            if (form.block != null && !form.optionalBlock) fail(call, "$call.name needs a block")
        } else if (form.block == 'expression') {
            Expressions.check(Expressions.condition(call), parameters)
        } else {
            block(form.block, call, where + [parallel: where.parallel || call.name == 'parallel'])
        }
    }

    private void stage(Call stage, Map where) {
        def bodies = ['steps', 'stages', 'parallel'].findAll { stage.get(it) }
        if (bodies.size() != 1) fail(stage, 'a stage has exactly one of steps, stages and parallel')
        if (!names.add(stage.positional[0].text)) fail(stage, "two stages are called '${stage.positional[0].text}'")
        if (stage.get('parallel') && stage.get('agent')) fail(stage, 'a stage with parallel takes no agent')
        if (stage.get('parallel') && where.parallel) fail(stage, 'parallel stands within parallel')
        if (stage.get('failFast') && !stage.get('parallel')) fail(stage, 'failFast stands without parallel')
    }

    private void arguments(Call call, Form form) {
        if (call.positional.size() > (form.first ? 1 : 0)) fail(call, "$call.name takes no such value without its name")
        call.named.each { key, value ->
            if (!form.parameters.containsKey(key)) {
                fail(call, "unknown parameter '$key' of $call.name; known: ${form.parameters.keySet().join(', ')}")
            }
        }
        form.parameters.each { key, type ->
            def value = call.argument(key, key == form.first)
            if (value != null) argument(call, key, value, type)
            else if (key in form.required) fail(call, "$call.name lacks $key")
        }
    }

    private void argument(Call call, String key, Expression value, Object type) {
        if (value instanceof MethodCallExpression) {
            nested(call, value, type)
            return
        }
        if (type in ['logRotator']) fail(call, "$call.name takes $type(…)")
        Expressions.check(value, parameters)
        if (call.name == 'sh' && value instanceof GStringExpression) {
            fail(call, 'sh reads its variables itself: single quotes, or a parameter could be a command and a secret be seen')
        }
        if (type == Map) html(call, value)
        if (type instanceof List && !(value.text in type)) fail(call, "$key of $call.name is one of ${type.join(', ')}")
        if (type instanceof Class && !fits(value, type)) fail(call, "$key of $call.name is a ${type.simpleName.toLowerCase()}")
        if (type == List && value instanceof ListExpression) value.expressions.findAll { it instanceof MethodCallExpression }
            .each { nested(call, it, ['string', 'file', 'usernamePassword']) }
    }

    private void nested(Call call, MethodCallExpression value, Object type) {
        def inner = Call.of(value)
        def allowed = type == 'environment' ? ['credentials'] : type instanceof List ? type : [type]
        if (!(inner.name in allowed)) fail(inner, "$inner.name(…) is nothing that $call.name takes")
        arguments(inner, Grammar.VALUES[inner.name])
    }

    private void html(Call call, Expression value) {
        if (!(value instanceof MapExpression)) fail(call, 'publishHTML takes target: [reportName: …]')
        value.mapEntryExpressions.each {
            def type = Grammar.HTML[it.keyExpression.text]
            if (type == null) fail(call, "unknown parameter '${it.keyExpression.text}' of publishHTML")
            argument(call, it.keyExpression.text, it.valueExpression, type)
        }
    }

    private static boolean fits(Expression value, Class type) {
        if (value instanceof ConstantExpression) return type.isInstance(value.value)
        if (value instanceof GStringExpression) return type == String
        if (value instanceof ListExpression) return type == List
        if (value instanceof MapExpression) return type == Map
        true // what params or env say
    }

    private static void fail(Call call, String message) {
        throw new PipelineError(call.line, message)
    }
}
