package pipeline

/** A step failed: the build is a FAILURE. */
class StepFailed extends RuntimeException {
    StepFailed(String message) { super(message) }
}

/** Somebody, or a timeout, stopped it: the build is ABORTED. */
class Stopped extends RuntimeException {
    final Deadline deadline

    Stopped(String message, Deadline deadline = null) {
        super(message)
        this.deadline = deadline
    }
}

/** A timeout: once it has fired, what still runs within it has a minute. */
class Deadline {
    static final long GRACE_MS = 60_000
    long endMs
    boolean fired

    void fire() {
        if (!fired) {
            fired = true
            endMs += GRACE_MS
        }
    }
}

/** Time as steps take it; recorded ones take what they were told. */
class Clock {
    long nowMs = 0
    private final List<Deadline> deadlines = []

    /** Run `body` within `limitMs`. */
    Object within(long limitMs, Closure body) {
        def deadline = new Deadline(endMs: nowMs + limitMs)
        deadlines << deadline
        try {
            return body()
        } finally {
            deadlines.remove(deadline)
        }
    }

    /** Milliseconds until the next timeout; very many where none is set. */
    long leftMs() {
        deadlines ? Math.max(0L, deadlines*.endMs.min() - nowMs) : Long.MAX_VALUE
    }

    boolean open(Deadline deadline) {
        deadlines.contains(deadline)
    }

    /** Take that time; raises Stopped when `ended` is false. */
    void take(long milliseconds, boolean ended) {
        nowMs += milliseconds
        if (ended) return
        def due = deadlines.min { it.endMs }
        def late = due.fired
        due.fire()
        throw new Stopped(late ? 'terminated: a minute after its timeout' : 'timeout', due)
    }
}

class Results {
    static final List<String> ORDER = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'ABORTED']

    static String worse(String one, String other) {
        ORDER[Math.max(ORDER.indexOf(one), ORDER.indexOf(other))]
    }

    static String of(Throwable error) {
        error == null ? 'SUCCESS' : error instanceof Stopped ? 'ABORTED' : 'FAILURE'
    }
}
