/* hierarchy.c -- see hierarchy.h. */
#include "hierarchy.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_SIZE 4096

/* Is `word` one of the words of `list`, which commas separate? */
static int has_word(const char *list, const char *word)
{
  size_t length = strlen(word);

  for (; list != NULL; list = strchr(list, ',')) {
    if (*list == ',')
      list++;
    if (strncmp(list, word, length) == 0 &&
        (list[length] == ',' || list[length] == '\0'))
      return 1;
  }
  return 0;
}

/* Lines of /proc/self/cgroup are "4:memory:/group", version 2 is "0::/group".
 */
static int find_group(const char *controller, char *group, size_t size)
{
  char line[LINE_MAX_SIZE], *names, *path;
  FILE *file = fopen("/proc/self/cgroup", "re");
  int found = 0;

  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    names = strchr(line, ':');
    path = names != NULL ? strchr(names + 1, ':') : NULL;
    if (path == NULL)
      continue;
    *names++ = *path++ = '\0';
    found = controller[0] == '\0' ? strcmp(line, "0") == 0
                                  : has_word(names, controller);
    if (found && (size_t)snprintf(group, size, "%s", path) >= size)
      found = 0;
  }
  if (file != NULL)
    fclose(file);
  return found ? 0 : -1;
}

/* Lines of mountinfo: "id parent device root place flags ... - type source
** options".
*/
static int find_mount(const char *controller, char *root, char *place)
{
  char line[LINE_MAX_SIZE], type[32], options[512];
  const char *wanted = controller[0] == '\0' ? "cgroup2" : "cgroup";
  const char *rest;
  FILE *file = fopen("/proc/self/mountinfo", "re");
  int found = 0;

  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
    rest = strstr(line, " - cgroup"); /* few are, and parsing is slow */
    if (rest == NULL || sscanf(rest, " - %31s %*s %511s", type, options) != 2 ||
        sscanf(line, "%*s %*s %*s %1023s %1023s", root, place) != 2)
      continue;
    found = strcmp(type, wanted) == 0 &&
            (controller[0] == '\0' || has_word(options, controller));
  }
  if (file != NULL)
    fclose(file);
  return found ? 0 : -1;
}

int hierarchy_find(const char *controller, char *path, size_t size)
{
  char group[1024], root[1024], place[1024];
  const char *below = group;
  size_t length;

  if (find_group(controller, group, sizeof group) < 0 ||
      find_mount(controller, root, place) < 0)
    return -1;
  /* In a container the mount shows a part of the tree only. */
  length = strlen(root);
  if (length > 1) {
    if (strncmp(group, root, length) != 0)
      return -1;
    below += length;
  }
  if (strcmp(below, "/") == 0)
    below = "";
  return (size_t)snprintf(path, size, "%s%s", place, below) < size ? 0 : -1;
}
