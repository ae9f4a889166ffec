package pipeline

/** The Jenkinsfile asks for something that Jenkins or this executor does not know; the message begins with its line. */
class PipelineError extends RuntimeException {
    final int line

    PipelineError(int line, String message) {
        super("Jenkinsfile:$line: $message")
        this.line = line
    }
}
