package pipeline

import static groovy.test.GroovyAssert.shouldFail

import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/** What Jenkins would refuse, or do otherwise than one thinks, is an error at its line. */
@RunWith(Parameterized)
class StrictTest {
    @Parameterized.Parameters(name = '{0}')
    static List<Object[]> mistakes() {
        [['a directive', "stagez { }", 'pipeline', 3, "unknown directive or condition 'stagez' in pipeline"],
         ['an option', 'options { timeouts(time: 1) }', 'pipeline', 3, "unknown directive or condition 'timeouts' in pipeline options"],
         ['an agent', "agent { labl 'gpu' }", 'stage', 6, "'labl' in agent"],
         ['a second agent', 'agent any', 'pipeline', 3, 'agent stands twice'],
         ['a condition', "when { brunch 'main' }", 'stage', 6, "'brunch' in when"],
         ['a nested condition', "when { not { anyOf { brunch 'main' } } }", 'stage', 6, "'brunch' in conditions"],
         ['a computed condition', 'when { expression { params.A + 1 } }', 'stage', 6, '`+` computes'],
         ['an undeclared parameter', 'when { expression { params.A } }', 'stage', 6, '`params.A` is not there'],
         ['an empty block', 'options { }', 'pipeline', 3, 'options { } is empty'],
         ['an environment without value', "environment { sh 'x' }", 'stage', 6, 'environment takes NAME = value'],
         ['a secret from elsewhere', "environment { A = vault('x') }", 'stage', 6, 'vault(…) is nothing that A takes'],
         ['an input', "input { mesage 'go?' }", 'stage', 6, "'mesage' in input"],
         ['a post condition', "post { ever { echo 'x' } }", 'stage', 6, "'ever' in post"],
         ['a trigger', "triggers { crn('H 2 * * *') }", 'pipeline', 3, "'crn' in triggers"],
         ['a type', "options { timeout(time: '1', unit: 'HOURS') }", 'pipeline', 3, 'time of timeout is a integer'],
         ['a unit', "options { timeout(time: 1, unit: 'HOUR') }", 'pipeline', 3, 'unit of timeout is one of'],
         ['a missing parameter', 'options { timeout(unit: \'HOURS\') }', 'pipeline', 3, 'timeout lacks time'],
         ['a step', "shel 'x'", 'steps', 7, "unknown step 'shel'"],
         ['a step\'s parameter', "sh script: 'x', returnStdoot: true", 'steps', 7, "unknown parameter 'returnStdoot' of sh"],
         ['a missing value', 'stash includes: \'x\'', 'steps', 7, 'stash lacks name'],
         ['a block that is none', "echo('x') { }", 'steps', 7, 'echo takes no block'],
         ['no block', 'retry 2', 'steps', 7, 'retry needs a block'],
         ['a bare word', 'cleanWs', 'steps', 7, '`cleanWs` is no directive or step'],
         ['Groovy', 'def x = 1', 'steps', 7, ''],
         ['an if', 'if (true) { echo "x" }', 'steps', 7, 'this is Groovy'],
         ['a method', "sh.call('x')", 'steps', 7, 'is no directive or step'],
         ['a variable', 'echo "${env.HOEM}"', 'steps', 7, '`env.HOEM` is not there'],
         ['a secret in the open', 'sh "login ${env.BUILD_URL}"', 'steps', 7, 'single quotes'],
         ['two bodies', "stages { stage('B') { steps { echo 'x' } } }", 'stage', 5, 'exactly one of'],
         ['failFast alone', 'failFast true', 'stage', 5, 'failFast stands without parallel'],
         ['no parentheses at the end', 'options { timeout(time: 1 }', 'pipeline', 3, '']
        ].collect { it as Object[] }
    }

    private final String written, place, says
    private final int line

    StrictTest(String name, String written, String place, int line, String says) {
        this.written = written
        this.place = place
        this.line = line
        this.says = says
    }

    @Test
    void isAnErrorAtItsLine() {
        def error = shouldFail(PipelineError) { Build.check(Small.with((place): written)) }
        assert error.line == line
        assert error.message.startsWith("Jenkinsfile:$line: ") && error.message.contains(says)
    }
}

/** The smallest pipeline, with something more in one place; lines 3, 6 and 7. */
class Small {
    static String with(Map more) {
        """pipeline {
  agent any
  ${more.pipeline ?: ''}
  stages {
    stage('A') {
      ${more.stage ?: ''}
      steps { ${more.steps ? '\n' + more.steps : "echo 'a'"} }
    }
  }
}
""".replace('steps { \n', 'steps { ')
    }
}
