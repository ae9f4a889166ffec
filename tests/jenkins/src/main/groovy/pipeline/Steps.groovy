package pipeline

import groovy.util.XmlSlurper
import java.nio.file.Files
import java.nio.file.StandardCopyOption

/** What each step does. */
class Steps {
    private final Build build

    Steps(Build build) {
        this.build = build
    }

    /** Run a block of steps in `where`: its stage, environment and workspace. */
    void run(Call block, Place where) {
        block.body.each { call -> step(call, where) }
    }

    private void step(Call call, Place where) {
        def value = { String key -> said(call, key, where) }
        switch (call.name) {
            case 'sh': sh(call, value('script'), where); break
            case 'timeout': build.clock.within(milliseconds(value('time'), value('unit'))) { run(call, where) }; break
            case 'retry': build.retry(value('count'), where.stage) { run(call, where) }; break
            case 'withCredentials': withCredentials(call, where); break
            case 'error': throw new StepFailed(value('message'))
            case 'unstable': build.result = Results.worse(build.result, 'UNSTABLE'); break
            default: files(call, value, where)
        }
    }

    private void files(Call call, Closure value, Place where) {
        build.console.event(where.stage, described(call, where))
        switch (call.name) {
            case 'stash': stash(value('name'), value, where); break
            case 'unstash': unstash(value('name'), where); break
            case 'junit': junit(value, where); break
            case 'archiveArtifacts': archive(value, where); break
        }
    }

    private Object said(Call call, String key, Place where) {
        def form = Grammar.BLOCKS.steps[call.name]
        def argument = call.argument(key, key == form.first)
        argument == null ? null : Expressions.evaluate(argument, build.scope(where))
    }

    private String described(Call call, Place where) {
        def words = Grammar.BLOCKS.steps[call.name].parameters.keySet().collect { said(call, it, where) }.findAll { it != null }
        "$call.name ${words.join(' ')}".trim()
    }

    static long milliseconds(Object time, String unit) {
        (time as long) * [SECONDS: 1000L, MINUTES: 60_000L, HOURS: 3_600_000L, DAYS: 86_400_000L][unit ?: 'MINUTES']
    }

    private void sh(Call call, String script, Place where) {
        def shown = script.replaceAll(/\$\{?(\w+)\}?/) { all, name ->
            if (!where.env.containsKey(name)) throw new PipelineError(call.line, "\$$name is not set here")
            java.util.regex.Matcher.quoteReplacement(where.env[name])
        }
        build.console.event(where.stage, shown)
        def runs = build.setting.shell
        def given = runs instanceof Recorder ? shown : script
        def (status, tookMs) = runs.run(given, where.env, where.workspace, build.clock.leftMs(), build.console.&say)
        build.clock.take(tookMs, status != null)
        if (status != 0) throw new StepFailed("script returned exit code $status: $shown")
    }

    private void withCredentials(Call call, Place where) {
        def bound = call.argument('bindings', true).expressions.collectEntries { build.bind(Call.of(it)) }
        run(call, where.with(bound))
    }

    private void stash(String name, Closure value, Place where) {
        def found = where.workspace ? Globs.files(where.workspace, value('includes') ?: '**', value('excludes')) : []
        if (where.workspace && !found && !value('allowEmpty')) throw new StepFailed("No files included in stash '$name'")
        def kept = where.workspace ? Files.createTempDirectory('stash').toFile() : null
        found.each { copy(new File(where.workspace, it), new File(kept, it)) }
        build.stashes[name] = [folder: kept, files: found]
    }

    private void unstash(String name, Place where) {
        def stash = build.stashes[name]
        if (stash == null) throw new StepFailed("No such saved stash '$name'")
        stash.files.each { copy(new File(stash.folder, it), new File(where.workspace, it)) }
    }

    private static void copy(File from, File to) {
        to.parentFile.mkdirs()
        Files.copy(from.toPath(), to.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES)
    }

    private void junit(Closure value, Place where) {
        if (value('testResults') in build.setting.failedReports) build.result = Results.worse(build.result, 'UNSTABLE')
        if (where.workspace == null) return
        def found = Globs.files(where.workspace, value('testResults'))
        if (!found && !value('allowEmptyResults')) throw new StepFailed('No test report files were found')
        def failed = found.any { path ->
            new XmlSlurper().parse(new File(where.workspace, path)).'**'.any { it.name() in ['failure', 'error'] }
        }
        if (failed) build.result = Results.worse(build.result, 'UNSTABLE')
    }

    private void archive(Closure value, Place where) {
        if (where.workspace == null) return
        def found = Globs.files(where.workspace, value('artifacts'), value('excludes'))
        if (!found && !value('allowEmptyArchive')) throw new StepFailed("No artifacts found for ${value('artifacts')}")
        build.archived.addAll(found)
    }
}
