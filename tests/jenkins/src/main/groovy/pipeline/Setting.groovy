package pipeline

/** What Jenkins would bring to a build: everything that a Jenkinsfile can ask about and does not say itself. */
class Setting {
    String branch = 'main'
    /** What started it: `TimerTrigger`, `UserIdCause`, `BranchIndexingCause` … */
    String cause = 'BranchIndexingCause'
    List<String> changes = []
    Map<String, Object> params = [:]
    /** Result of the build before; null for the first. */
    String previous = 'SUCCESS'
    /** id → a text, `[username: , password: ]` or `[file: path]`. */
    Map<String, Object> credentials = [:]
    Map<String, String> env = [:]
    /** Stage with an input → `proceed`, `abort`, or nobody answers. */
    Map<String, String> answers = [:]
    /** Patterns of `junit` whose reports have failed tests; real workspaces have real reports. */
    List<String> failedReports = []
    /** What runs `sh`. */
    Shell shell = new Recorder()
}

/** Runs what `sh` is given. */
interface Shell {
    /** A workspace for an agent that was just taken; null where there are no files. */
    File workspace(String agent)

    /** `[status, milliseconds]` of a script; it is stopped after `limitMs`, and then the status is null. */
    List run(String script, Map<String, String> environment, File workspace, long limitMs, Closure log)
}

/** Runs nothing, and answers as it was told: `outcomes` has words behind `make` → `[status:, minutes:, prints:]`, or a list. */
class Recorder implements Shell {
    Map<String, Object> outcomes = [:]
    private final Map<String, Integer> asked = [:].withDefault { 0 }

    File workspace(String agent) { null }

    List run(String script, Map<String, String> environment, File workspace, long limitMs, Closure log) {
        def key = outcomes.keySet().find { script == "make $it" || script.startsWith("make $it ") }
        def told = key ? [outcomes[key]].flatten() : [[:]]
        def outcome = told[Math.min(asked[key]++, told.size() - 1)]
        long takesMs = (outcome.minutes ?: 0) * 60_000L
        if (outcome.prints) log(outcome.prints)
        takesMs > limitMs ? [null, limitMs] : [outcome.status ?: 0, takesMs]
    }
}
