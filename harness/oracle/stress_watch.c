// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/check.h"
#include "stress_watch.h"

#define LOOK_NS 100000000

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Steps of actor number @i: the mutator is 0 */
static unsigned long steps(const struct stress *stress, unsigned int i)
{
	return i ? atomic_load(&stress->engines[i - 1].dmas) : atomic_load(&stress->steps);
}

static void read_line(const char *thread, const char *file, char *line, size_t size)
{
	char path[64];
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/%s", thread, file);
	stream = fopen(path, "re");
	if (!stream || !fgets(line, size, stream))
		snprintf(line, size, "?");
	line[strcspn(line, "\n")] = 0;
	if (stream)
		fclose(stream);
}

/* Where the kernel has each thread: "wchan", and the number and arguments of its system call */
static void print_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	char name[32], wchan[64], call[96];
	struct dirent *task;

	while (tasks && (task = readdir(tasks))) {
		if (task->d_name[0] == '.')
			continue;
		read_line(task->d_name, "comm", name, sizeof(name));
		read_line(task->d_name, "wchan", wchan, sizeof(wchan));
		read_line(task->d_name, "syscall", call, sizeof(call));
		check_note("thread %s (%s): %s, system call %s", task->d_name, name, wchan, call);
	}
	if (tasks)
		closedir(tasks);
}

static void look(struct stress_watch *watch, double now)
{
	struct stress *stress = watch->stress;

	for (unsigned int i = 0; i < 1 + stress->engine_count; i++) {
		unsigned long seen = steps(stress, i);

		if (seen != watch->seen[i])
			watch->since[i] = now;
		watch->seen[i] = seen;
		if (now - watch->since[i] < watch->patience_s)
			continue;
		watch->stuck = true;
		check_note("%s %u has done nothing for %.0f s, after %lu steps",
			   i ? "engine" : "mutator", i ? i - 1 : 0, now - watch->since[i], seen);
	}
	if (watch->stuck) {
		print_threads();
		atomic_store(&stress->stop, true);
	}
}

static void *watch_main(void *arg)
{
	struct stress_watch *watch = arg;

	while (!atomic_load(&watch->end) && !watch->stuck) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
		look(watch, now_s());
	}
	return NULL;
}

int stress_watch_start(struct stress_watch *watch, struct stress *stress, double patience_s)
{
	*watch = (struct stress_watch){ .stress = stress, .patience_s = patience_s };
	for (unsigned int i = 0; i < WATCH_ACTORS; i++)
		watch->since[i] = now_s();
	return -pthread_create(&watch->thread, NULL, watch_main, watch);
}

void stress_watch_stop(struct stress_watch *watch)
{
	atomic_store(&watch->end, true);
	pthread_join(watch->thread, NULL);
}
