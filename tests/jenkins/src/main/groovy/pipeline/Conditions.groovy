package pipeline

/** Whether a `when` holds. */
class Conditions {
    static final List FLAGS = ['beforeAgent', 'beforeInput', 'beforeOptions']
    private final Setting setting
    private final Map scope
    private final Map env

    Conditions(Setting setting, Map scope, Map env) {
        this.setting = setting
        this.scope = scope
        this.env = env
    }

    /** All of the block's conditions. */
    boolean hold(Call when) {
        when.body.findAll { !(it.name in FLAGS) }.every { holds(it) }
    }

    private boolean holds(Call call) {
        def value = { String key -> Expressions.evaluate(call.argument(key, true), scope) }
        switch (call.name) {
            case 'branch': return setting.branch ==~ Globs.pattern(value('pattern'))
            case 'changeset': return setting.changes.any { it ==~ Globs.pattern(value('glob')) }
            case 'changeRequest': return setting.branch.startsWith('PR-')
            case 'equals': return value('expected') == value('actual')
            case 'environment': return env[value('name')] == value('value')
            case 'triggeredBy': return setting.cause == value('cause')
            case 'expression': return Expressions.evaluate(Expressions.condition(call), scope)
            case 'not': return !hold(call)
            case 'allOf': return hold(call)
            case 'anyOf': return call.body.any { holds(it) }
        }
    }
}

/** Ant's patterns, which Jenkins uses for files and branches. */
class Globs {
    static String pattern(String glob) {
        glob.replace('.', '\\.').replace('?', '[^/]').replace('**/', '\u0001').replace('**', '\u0002')
            .replace('*', '[^/]*').replace('\u0001', '(?:.*/)?').replace('\u0002', '.*')
    }

    /** Files below `root` whose relative path is of one of `includes` and none of `excludes`, both separated by commas. */
    static List<String> files(File root, String includes, String excludes = null) {
        def matches = { String path, String globs -> globs.split(/\s*,\s*/).any { path ==~ pattern(it) } }
        def found = []
        root.traverse(type: groovy.io.FileType.FILES) { found << root.toPath().relativize(it.toPath()).toString() }
        found.findAll { matches(it, includes) && !(excludes && matches(it, excludes)) }.sort()
    }
}
