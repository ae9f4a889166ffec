package pipeline

/** Where a step runs: its stage, what its environment is, and the agent's workspace. */
class Place {
    String stage
    Map<String, String> env = [:]
    boolean node
    File workspace

    Place with(Map<String, String> more) {
        new Place(stage: stage, env: env + more, node: node, workspace: workspace)
    }
}

/** One build of a checked Jenkinsfile: stages in order, each within its options, input, agent and conditions. */
class Build {
    final Setting setting
    final Console console = new Console()
    final Clock clock = new Clock()
    final Map<String, Map> stashes = [:]
    final List<String> archived = []
    String result = 'SUCCESS'
    private final Steps steps = new Steps(this)
    private final Call pipeline
    private final Map<String, Object> params

    private Build(Call pipeline, Setting setting) {
        this.pipeline = pipeline
        this.setting = setting
        params = defaults(pipeline, setting)
    }

    /** A Jenkinsfile's pipeline, read and held to the grammar; PipelineError with the line of what is wrong. */
    static Call check(String jenkinsfile) {
        def pipeline = Source.read(jenkinsfile)
        Checker.check(pipeline)
        pipeline
    }

    /** Run it and return the build with its result, log and events. */
    static Build run(Call pipeline, Setting setting = new Setting()) {
        def build = new Build(pipeline, setting)
        build.start()
        build
    }

    /** What `sh` was given, in order: `make …`, masked. */
    List<String> getCommands() {
        console.events*.get(1).findAll { it.startsWith('make ') }
    }

    /** The first words behind make. */
    List<String> getTargets() {
        commands.collect { it.split(' ')[1] }
    }

    /** What happened in a stage, in order. */
    List<String> during(String stage) {
        console.events.findAll { it[0] == stage }*.get(1)
    }

    private static Map defaults(Call pipeline, Setting setting) {
        def declared = (pipeline.get('parameters')?.body ?: []).collectEntries { call ->
            def value = call.name == 'choice' ? call.argument('choices').expressions[0] : call.argument('defaultValue')
            [(call.argument('name').text): value == null ? '' : Expressions.evaluate(value, [:])]
        }
        def unknown = setting.params.keySet() - declared.keySet()
        if (unknown) throw new PipelineError(pipeline.get('parameters')?.line ?: 1, "no parameter is called ${unknown.join(', ')}")
        declared + setting.params
    }

    private void start() {
        def builtIn = Grammar.BUILT_IN.collectEntries { [(it): it.toLowerCase()] } +
            [BRANCH_NAME: setting.branch, BUILD_NUMBER: '7']
        def env = builtIn + params.collectEntries { key, value -> [(key): value as String] } + setting.env
        scoped(pipeline, new Place(stage: 'pipeline', env: env)) { Place place ->
            attempt { stages(pipeline.get('stages'), place) }
            attempt { post(pipeline, place, null) }
        }
    }

    private void attempt(Closure body) {
        try {
            body()
        } catch (StepFailed | Stopped error) {
            console.say(error.message)
            result = Results.worse(result, Results.of(error))
        }
    }

    /** `params`, `env` and `currentBuild` as an expression sees them. */
    Map<String, Map> scope(Place place) {
        [params: params, env: place.env,
         currentBuild: [currentResult: result, fullDisplayName: "fovea » $setting.branch #7", number: 7]]
    }

    private void stages(Call block, Place place) {
        Throwable first = null
        block.body.each { stage ->
            def name = stage.positional[0].text
            def unstable = result == 'UNSTABLE' && pipeline.get('options')?.get('skipStagesAfterUnstable')
            if (first || unstable) {
                console.event(name, "skipped: an earlier stage ${first ? 'failed' : 'is unstable'}")
            } else {
                first = tried { this.stage(stage, name, place) }
            }
        }
        if (first) throw first
    }

    private void parallel(Call block, boolean failFast, Place place) {
        Throwable first = null
        block.body.each { stage ->
            def name = stage.positional[0].text
            if (first && failFast) {
                console.event(name, 'stopped: failFast')
            } else {
                def error = tried { this.stage(stage, name, place) }
                first = first ?: error
            }
        }
        if (first) throw first
    }

    private Throwable tried(Closure body) {
        try {
            body()
            return null
        } catch (StepFailed | Stopped error) {
            result = Results.worse(result, Results.of(error))
            return error
        }
    }

    private void stage(Call stage, String name, Place outer) {
        def place = new Place(stage: name, env: outer.env, node: outer.node, workspace: outer.workspace)
        def when = stage.get('when')
        def early = { String flag -> when?.get(flag)?.positional?.get(0)?.value == true }
        def before = ['beforeOptions', 'beforeInput', 'beforeAgent'].find { early(it) } ?: 'inside'
        if (before == 'beforeOptions' && !wanted(when, place)) return
        options(stage, place) {
            if (before == 'beforeInput' && !wanted(when, place)) return
            input(stage, place)
            if (before == 'beforeAgent' && !wanted(when, place)) return
            scoped(stage, place) { Place inner ->
                if (before == 'inside' && when && !wanted(when, inner)) return
                body(stage, inner)
            }
        }
    }

    private boolean wanted(Call when, Place place) {
        def holds = new Conditions(setting, scope(place), place.env).hold(when)
        if (!holds) console.event(place.stage, 'skipped: when')
        holds
    }

    /** The stage's own work and, whatever became of it, its post. */
    private void body(Call stage, Place place) {
        def error = tried {
            if (stage.get('steps')) steps.run(stage.get('steps'), place)
            else if (stage.get('stages')) stages(stage.get('stages'), place)
            else parallel(stage.get('parallel'), stage.get('failFast')?.positional?.get(0)?.value == true, place)
        }
        if (error) console.event(place.stage, "${Results.of(error) == 'ABORTED' ? 'aborted' : 'failed'}: $error.message")
        post(stage, place, error)
        if (error) throw error
    }

    private void options(Call holder, Place place, Closure body) {
        def wrappers = (holder.get('options')?.body ?: []).findAll { it.name in ['timeout', 'retry'] }
        wrappers.reverse().inject(body) { inner, call -> { -> wrapped(call, place, inner) } }.call()
    }

    private void wrapped(Call call, Place place, Closure body) {
        if (call.name == 'retry') {
            retry(call.positional[0].value, place.stage, body)
            return
        }
        def unit = call.argument('unit')
        clock.within(Steps.milliseconds(call.argument('time').value, unit ? unit.text : null), body)
    }

    /** Run `body` up to `count` times; what a person or an outer timeout stopped is not tried again. */
    void retry(int count, String stage, Closure body) {
        int left = count
        while (left-- > 0) {
            try {
                body()
                return
            } catch (StepFailed | Stopped error) {
                if (left == 0 || (error instanceof Stopped && (error.deadline == null || clock.open(error.deadline)))) throw error
                console.event(stage, "retrying: $error.message")
                result = 'SUCCESS'
            }
        }
    }

    private void input(Call stage, Place place) {
        if (!stage.get('input')) return
        def answer = setting.answers[place.stage]
        console.event(place.stage, "input: ${stage.get('input').get('message').positional[0].value}")
        if (answer == 'abort') throw new Stopped('rejected')
        if (answer == null) {
            if (clock.leftMs() == Long.MAX_VALUE) throw new PipelineError(stage.line, 'its input waits for ever')
            clock.take(clock.leftMs(), false)
        }
    }

    /** With the agent and the environment of a pipeline or a stage. */
    private void scoped(Call holder, Place place, Closure body) {
        def agent = holder.get('agent')
        def inner = place
        if (agent && !(agent.positional && agent.positional[0].text == 'none')) {
            def name = agentName(agent, place)
            console.event(place.stage, "agent: $name")
            inner = new Place(stage: place.stage, env: place.env, node: true, workspace: setting.shell.workspace(name))
        }
        body(inner.with(environment(holder, inner)))
    }

    private String agentName(Call agent, Place place) {
        if (!agent.block) return agent.positional[0].text
        def kind = agent.body[0]
        if (kind.name == 'label') return Expressions.evaluate(kind.positional[0], scope(place))
        kind.body.collect { Expressions.evaluate(it.positional[0], scope(place)) }.join(' ')
    }

    private Map<String, String> environment(Call holder, Place place) {
        (holder.get('environment')?.body ?: []).inject([:]) { Map sofar, call ->
            def value = call.positional[0]
            if (value instanceof org.codehaus.groovy.ast.expr.MethodCallExpression) {
                return sofar + secret(call.name, Call.of(value).positional[0].value, call.line)
            }
            sofar + [(call.name): Expressions.evaluate(value, scope(place.with(sofar))) as String]
        }
    }

    /** What a credential puts into the environment as `name`, from now on masked. */
    private Map<String, String> secret(String name, String id, int line) {
        def kept = setting.credentials[id]
        if (kept == null) throw new PipelineError(line, "there are no credentials '$id'")
        def variables = kept instanceof Map && kept.password ?
            [(name): "$kept.username:$kept.password" as String, (name + '_USR'): kept.username, (name + '_PSW'): kept.password] :
            [(name): kept instanceof Map ? kept.file : kept]
        variables.findAll { !it.key.endsWith('_USR') }.each { console.secret(it.value) }
        variables
    }

    /** The variables of one binding of withCredentials. */
    Map<String, String> bind(Call binding) {
        def text = { String key -> binding.argument(key).value }
        def all = secret('X', text('credentialsId'), binding.line)
        if (binding.name != 'usernamePassword') return [(text('variable')): all.X]
        [(text('usernameVariable')): all.X_USR, (text('passwordVariable')): all.X_PSW]
    }

    private void post(Call holder, Place place, Throwable error) {
        Grammar.POST.each { condition ->
            def block = holder.get('post')?.get(condition)
            if (block && applies(condition, Results.worse(result, Results.of(error)))) {
                attempt { steps.run(block, place) }
            }
        }
    }

    private boolean applies(String condition, String now) {
        def worse = setting.previous != null && Results.ORDER.indexOf(now) > Results.ORDER.indexOf(setting.previous)
        [always: true, cleanup: true, changed: now != setting.previous, regression: worse,
         fixed: now == 'SUCCESS' && setting.previous in ['FAILURE', 'UNSTABLE'], aborted: now == 'ABORTED',
         failure: now == 'FAILURE', success: now == 'SUCCESS', unstable: now == 'UNSTABLE',
         unsuccessful: now != 'SUCCESS'][condition]
    }
}
