/* floor AT_ONCE WAVES COMMAND...: what no engine can be faster than.
 *
 * WAVES is a list of numbers, such as 100,1,100. Each wave starts COMMAND so often,
 * with at most AT_ONCE alive, and is over when all of it has ended; then the next begins.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static int failed;

static void start(char **command)
{
    pid_t child;
    int error = posix_spawn(&child, command[0], NULL, NULL, command, environ);
    if (error) {
        fprintf(stderr, "floor: %s: %s\n", command[0], strerror(error));
        exit(2);
    }
}

static void wait_for_one(void)
{
    int status;
    while (waitpid(-1, &status, 0) < 0)
        if (errno != EINTR)
            exit(2);
    failed |= status != 0;
}

int main(int count, char **words)
{
    if (count < 4) {
        fprintf(stderr, "usage: floor AT_ONCE WAVES COMMAND...\n");
        return 2;
    }
    long at_once = atol(words[1]);
    for (char *wave = strtok(words[2], ","); wave; wave = strtok(NULL, ",")) {
        long left = atol(wave), alive = 0;
        while (left || alive) {
            for (; left && alive < at_once; left--, alive++)
                start(words + 3);
            wait_for_one();
            alive--;
        }
    }
    return failed;
}
