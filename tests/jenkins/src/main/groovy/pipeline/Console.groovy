package pipeline

/** What a build says: its log, masked as Jenkins masks it, and what a test asks about. */
class Console {
    final List<String> lines = []
    /** `[stage, what]` in order: make targets, steps, agents, skipped stages. */
    final List<List<String>> events = []
    private final Set<String> secrets = []

    void secret(String text) {
        if (text) secrets << text
    }

    String masked(String text) {
        secrets.sort { -it.size() }.inject(text) { shown, secret -> shown.replace(secret, '****') }
    }

    void say(String text) {
        lines << masked(text)
    }

    void event(String stage, String what) {
        events << [stage, masked(what)]
        say("[$stage] $what")
    }
}
