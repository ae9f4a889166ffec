package pipeline

import java.nio.file.Files
import java.util.concurrent.TimeUnit

/** Really runs scripts, as Jenkins does: `sh -xe`, in a fresh copy of the checkout for each agent. */
class Terminal implements Shell {
    File checkout
    File scratch
    /** Beside the process's own environment. */
    Map<String, String> env = [:]
    /** The environment that becomes a workspace's `.venv`. */
    String environment
    private int agents = 0

    File workspace(String agent) {
        def copy = new File(scratch, "agent-${++agents}")
        copy.mkdirs()
        def script = 'git -C "$FROM" ls-files -zco --exclude-standard | ' +
            'tar -C "$FROM" --null --ignore-failed-read -cf - -T - | tar -xf -'
        def said = [] as List<String>
        def (status, _) = run(script, [FROM: checkout.path], copy, 60_000, said.&add)
        assert status == 0: said
        if (environment) install(copy)
        copy
    }

    /** An installed environment under the workspace's own name, and not older than its pins: nothing is installed anew. */
    private void install(File copy) {
        def own = new File(copy, '.venv')
        own.mkdirs()
        new File(environment).listFiles().findAll { it.name != '.installed' }.each {
            Files.createSymbolicLink(new File(own, it.name).toPath(), it.toPath())
        }
        new File(own, '.installed').text = ''
    }

    List run(String script, Map<String, String> variables, File workspace, long limitMs, Closure log) {
        def builder = new ProcessBuilder('/bin/sh', '-xec', script).directory(workspace).redirectErrorStream(true)
        builder.environment().putAll(variables + env + [WORKSPACE: workspace.path,
                                                        PYTHONPATH: "$workspace:$workspace/clients/python" as String])
        def begun = System.nanoTime()
        def process = builder.start()
        def reader = Thread.start { process.inputStream.eachLine { log(it) } }
        def ended = process.waitFor(Math.min(limitMs, 86_400_000L), TimeUnit.MILLISECONDS)
        if (!ended) [*process.descendants().iterator().toList(), process]*.destroy()
        if (!ended && !process.waitFor(10, TimeUnit.SECONDS)) [*process.descendants().iterator().toList(), process]*.destroyForcibly()
        reader.join(10_000)
        [ended ? process.exitValue() : null, (System.nanoTime() - begun).intdiv(1_000_000) as long]
    }
}
