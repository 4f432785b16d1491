/* filter_generator.c -- turns filter.table into the sandbox's seccomp filter.
**
** A program of the build: `filter_generator filter.table < macros > filter.h`.
** macros is what `cc -E -dM` of the target prints for filter_names.h.
**
** Loading a filter costs its path, not its size: the kernel runs each new one
** for every call number. So the calls become ranges of numbers with the same
** policy, the ranges a balanced tree of ">=", and tests of arguments leaves.
** The includer brings <linux/filter.h>.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 1024u /* call numbers looked at; all above are unknown */
#define LOAD 0x20u    /* BPF_LD | BPF_W | BPF_ABS */
#define EQUAL 0x15u   /* BPF_JMP | BPF_JEQ | BPF_K */
#define AT_LEAST 0x35u
#define ANY_BIT 0x45u
#define RETURN 0x06u
#define ALLOW 0x7fff0000u
#define KILL 0x80000000u
#define ERRNO 0x00050000u
#define OFFSET_NUMBER 0u /* in struct seccomp_data, little-endian */
#define OFFSET_ARCHITECTURE 4u
#define OFFSET_ARGUMENTS 16u
#define NEXT (-1) /* a jump to the following instruction */

enum operation { IS, HAS, IS_NULL };

struct test {
  uint32_t argument;
  enum operation operation;
  uint32_t count;
  uint32_t values[8];
};

struct rule {
  uint32_t tests; /* all must hold; 0: always */
  struct test test[2];
  uint32_t answer;
};

/* What to do with a call: its rules in order, the last one without tests. */
struct policy {
  uint32_t count;
  struct rule rules[6];
};

struct range {
  uint32_t start;
  int policy;
};

struct instruction {
  uint32_t code, value;
  int yes, no; /* labels, or NEXT */
};

struct macro {
  char name[64];
  char value[64];
};

static struct macro macros[20000];
static size_t macro_count;
static struct policy policies[64];
static int policy_label[64];
static int policy_count;
static int policy_of[NUMBERS]; /* 0: unknown */
static char call_name[NUMBERS][64];
static struct range ranges[NUMBERS];
static int range_count;
static struct instruction program[1024];
static int length;
static int label_place[2048];
static int label_count;
static uint32_t answers[32];
static int answer_label[32];
static int answer_count;
static int line_number;

static void die(const char *what, const char *which)
{
  fprintf(stderr, "filter.table:%d: %s: %s\n", line_number, what, which);
  exit(1);
}

/* ---- names ---- */

static void read_macros(FILE *file)
{
  char line[4096];

  while (fgets(line, sizeof line, file) != NULL) {
    struct macro *macro = &macros[macro_count];

    if (macro_count < sizeof macros / sizeof *macros &&
        sscanf(line, "#define %63s %63[^\n]", macro->name, macro->value) == 2)
      macro_count++;
  }
}

static const char *macro(const char *name)
{
  size_t i;

  for (i = 0; i < macro_count; i++)
    if (strcmp(macros[i].name, name) == 0)
      return macros[i].value;
  return NULL;
}

/* A number, or a macro that leads to one. Returns 0 if there is none. */
static int resolve(const char *name, uint32_t *value)
{
  int depth;

  for (depth = 0; name != NULL && depth < 8; depth++) {
    char *end;

    *value = (uint32_t)strtoul(name, &end, 0);
    if (end != name && *end == '\0')
      return 1;
    name = macro(name);
  }
  return 0;
}

static uint32_t number(const char *name)
{
  uint32_t value;

  if (!resolve(name, &value))
    die("no such number", name);
  return value;
}

/* "name" or "name=N"; cuts the number off. Returns 0 if it does not exist. */
static int call_number(char *name, uint32_t *value)
{
  char macro_name[80];
  char *equals = strchr(name, '=');

  if (equals != NULL)
    *equals = '\0';
  snprintf(macro_name, sizeof macro_name, "__NR_%s", name);
  if (!resolve(macro_name, value)) {
    if (equals == NULL)
      return 0;
    *value = number(equals + 1);
  }
  if (*value >= NUMBERS)
    die("number out of range", name);
  return 1;
}

static uint32_t answer(const char *name)
{
  return strcmp(name, "allow") == 0 ? ALLOW : ERRNO | number(name);
}

/* ---- the table ---- */

static int policy_index(const struct policy *policy)
{
  int i;

  for (i = 0; i < policy_count; i++)
    if (memcmp(&policies[i], policy, sizeof *policy) == 0)
      return i;
  if (policy_count == sizeof policies / sizeof *policies)
    die("too many policies", "");
  policies[policy_count] = *policy;
  return policy_count++;
}

static int plain_policy(uint32_t result)
{
  struct policy policy;

  memset(&policy, 0, sizeof policy);
  policy.count = 1;
  policy.rules[0].answer = result;
  return policy_index(&policy);
}

static void set_call(char *name, int policy)
{
  uint32_t value;

  if (!call_number(name, &value))
    return;
  if (call_name[value][0] != '\0')
    die("named twice", name);
  snprintf(call_name[value], sizeof call_name[value], "%.63s", name);
  policy_of[value] = policy;
}

/* "argN is A|B|C", "argN has A|B", "argN is null" */
static void read_test(char *words[3], struct test *test)
{
  char *value;

  if (strncmp(words[0], "arg", 3) != 0)
    die("no argument", words[0]);
  test->argument = number(words[0] + 3);
  if (test->argument > 5)
    die("no argument", words[0]);
  if (strcmp(words[1], "has") == 0)
    test->operation = HAS;
  else if (strcmp(words[1], "is") != 0)
    die("no operation", words[1]);
  if (strcmp(words[2], "null") == 0) {
    test->operation = IS_NULL;
    return;
  }
  for (value = strtok(words[2], "|"); value; value = strtok(NULL, "|")) {
    if (test->count == sizeof test->values / sizeof *test->values)
      die("too many values", value);
    test->values[test->count++] = number(value);
  }
}

/* One line of [arguments]: "call otherwise answer", or
** "call test answer", or "call test and test answer". Lines of a call are
** gathered in *policy; the one with "otherwise" is its last.
*/
static void read_rule(char *words[], int count, struct policy *policy)
{
  static char current[64];
  struct rule *rule = &policy->rules[policy->count];
  int i;

  if (policy->count == sizeof policy->rules / sizeof *policy->rules)
    die("too many rules", words[0]);
  if (policy->count > 0 && strcmp(current, words[0]) != 0)
    die("needs a last line with otherwise", current);
  snprintf(current, sizeof current, "%s", words[0]);
  policy->count++;
  rule->answer = answer(words[count - 1]);
  if (count == 3 && strcmp(words[1], "otherwise") == 0) {
    set_call(words[0], policy_index(policy));
    memset(policy, 0, sizeof *policy);
    return;
  }
  if (count != 5 && (count != 9 || strcmp(words[4], "and") != 0))
    die("no rule", words[0]);
  for (i = 1; i < count - 1; i += 4)
    read_test(words + i, &rule->test[rule->tests++]);
}

static void check_sorted(const char *name, const char *section)
{
  static char last[64], last_section[64];

  if (strcmp(section, last_section) != 0)
    last[0] = '\0';
  if (strcmp(last, name) > 0)
    die("not sorted", name);
  snprintf(last, sizeof last, "%.*s", (int)strcspn(name, "="), name);
  snprintf(last_section, sizeof last_section, "%s", section);
}

static void read_table(FILE *file)
{
  char line[256], section[64] = "";
  struct policy rules;

  memset(&rules, 0, sizeof rules);
  while (fgets(line, sizeof line, file) != NULL) {
    char *words[32];
    int count = 0, i;

    line_number++;
    line[strcspn(line, "#")] = '\0';
    for (words[0] = strtok(line, " \t\n"); words[count] != NULL && count < 31;)
      words[++count] = strtok(NULL, " \t\n");
    if (count == 0)
      continue;
    if (words[0][0] == '[') {
      snprintf(section, sizeof section, "%s", words[0]);
      section[strcspn(section, "]")] = '\0';
      continue;
    }
    if (strcmp(section, "[arguments") == 0) {
      check_sorted(words[0], section);
      read_rule(words, count, &rules);
      continue;
    }
    for (i = 0; i < count; i++) {
      check_sorted(words[i], section);
      set_call(words[i], plain_policy(answer(section + 1)));
    }
  }
  if (rules.count > 0)
    die("needs a last line with otherwise", "[arguments]");
}

/* ---- the program ---- */

static int new_label(void)
{
  label_place[label_count] = -1;
  return label_count++;
}

static struct instruction *add(uint32_t code, uint32_t value, int yes, int no)
{
  struct instruction *instruction = &program[length++];

  if (length == sizeof program / sizeof *program)
    die("program too long", "");
  instruction->code = code;
  instruction->value = value;
  instruction->yes = yes;
  instruction->no = no;
  return instruction;
}

/* The one RETURN of each answer stands at the end of the program. */
static int answer_at(uint32_t value)
{
  int i;

  for (i = 0; i < answer_count; i++)
    if (answers[i] == value)
      return answer_label[i];
  answers[answer_count] = value;
  answer_label[answer_count] = new_label();
  return answer_label[answer_count++];
}

/* Where a call with this policy goes: a plain answer needs no block. */
static int policy_at(int policy)
{
  if (policies[policy].rules[0].tests == 0)
    return answer_at(policies[policy].rules[0].answer);
  if (policy_label[policy] == 0)
    policy_label[policy] = new_label();
  return policy_label[policy];
}

static void add_range(uint32_t start, int policy)
{
  if (range_count > 0 && ranges[range_count - 1].policy == policy)
    return;
  ranges[range_count].start = start;
  ranges[range_count++].policy = policy;
}

static int add_tree(int first, int last)
{
  int middle = first + (last - first + 1) / 2;
  int label;
  struct instruction *branch;

  if (first == last)
    return policy_at(ranges[first].policy);
  label = new_label();
  label_place[label] = length;
  branch = add(AT_LEAST, ranges[middle].start, NEXT, NEXT);
  branch->no = add_tree(first, middle - 1);
  branch->yes = add_tree(middle, last);
  return label;
}

static void add_test(const struct test *test, int pass, int fail)
{
  uint32_t low = OFFSET_ARGUMENTS + 8 * test->argument, i;

  add(LOAD, low, NEXT, NEXT);
  if (test->operation == IS_NULL) {
    add(EQUAL, 0, NEXT, fail);
    add(LOAD, low + 4, NEXT, NEXT);
    add(EQUAL, 0, pass, fail);
    return;
  }
  for (i = 0; i < test->count; i++)
    add(test->operation == HAS ? ANY_BIT : EQUAL, test->values[i], pass,
        i + 1 < test->count ? NEXT : fail);
}

static void add_policy(const struct policy *policy)
{
  uint32_t i, j;

  for (i = 0; policy->rules[i].tests > 0; i++) {
    const struct rule *rule = &policy->rules[i];
    const struct rule *after = rule + 1;
    int fail = after->tests > 0 ? new_label() : answer_at(after->answer);

    for (j = 0; j < rule->tests; j++) {
      int last = j + 1 == rule->tests;
      int pass = last ? answer_at(rule->answer) : new_label();

      add_test(&rule->test[j], pass, fail);
      if (!last)
        label_place[pass] = length;
    }
    if (after->tests > 0)
      label_place[fail] = length;
  }
}

static void build(uint32_t architecture, uint32_t x32)
{
  int kill = plain_policy(KILL), i;
  uint32_t call;

  for (call = 0; call < NUMBERS; call++)
    add_range(call, policy_of[call]);
  if (x32 != 0) {
    add_range(x32, kill);
    add_range(0xffffffffu, 0); /* syscall(-1) is no x32 call */
  }
  add(LOAD, OFFSET_ARCHITECTURE, NEXT, NEXT);
  add(EQUAL, architecture, NEXT, answer_at(KILL));
  add(LOAD, OFFSET_NUMBER, NEXT, NEXT);
  add_tree(0, range_count - 1);
  for (i = 0; i < policy_count; i++)
    if (policy_label[i] != 0) {
      label_place[policy_label[i]] = length;
      add_policy(&policies[i]);
    }
  for (i = 0; i < answer_count; i++) {
    label_place[answer_label[i]] = length;
    add(RETURN, answers[i], NEXT, NEXT);
  }
}

static int distance(int from, int label)
{
  int jump = label == NEXT ? 0 : label_place[label] - from - 1;

  if (jump < 0 || jump > 255)
    die("a jump does not reach", "");
  return jump;
}

/* With the suffix "_zygote", say, or "". */
static void print(const char *architecture, const char *suffix)
{
  int i;

  printf("/* filter.table for %s, made by filter_generator. */\n"
         "#ifndef CELL_FILTER_H%s\n#define CELL_FILTER_H%s\n\n"
         "static const struct sock_filter cell_filter%s[] = {\n",
         architecture, suffix, suffix, suffix);
  for (i = 0; i < length; i++) {
    const struct instruction *at = &program[i];
    const char *name =
      at->code == AT_LEAST && at->value < NUMBERS ? call_name[at->value] : "";

    printf("  {0x%02x, %d, %d, 0x%x}, /* %d %s */\n", (unsigned)at->code,
           distance(i, at->yes), distance(i, at->no), (unsigned)at->value, i,
           name);
  }
  printf("};\n#define CELL_FILTER_LENGTH%s %d\n\n#endif\n", suffix, length);
}

/* Another answer than that of the table. */
static void allow(char *name)
{
  uint32_t value;

  if (!call_number(name, &value) || call_name[value][0] == '\0')
    die("not in the table", name);
  policy_of[value] = plain_policy(ALLOW);
}

int main(int count, char **arguments)
{
  FILE *table = count == 2 || count == 4 ? fopen(arguments[1], "r") : NULL;
  const char *suffix = count == 4 ? arguments[2] : "";

  if (table == NULL) {
    fputs("usage: filter_generator TABLE [SUFFIX CALL] < macros\n", stderr);
    return 2;
  }
  read_macros(stdin);
  plain_policy(ERRNO | number("ENOSYS")); /* policy 0: unknown calls */
  new_label();                            /* so that 0 is no label */
  read_table(table);
  fclose(table);
  line_number = 0;
  if (count == 4)
    allow(arguments[3]);
  if (macro("__x86_64__") != NULL) {
    build(0xc000003eu, 0x40000000u);
    print("x86_64", suffix);
  } else if (macro("__aarch64__") != NULL) {
    build(0xc00000b7u, 0);
    print("aarch64", suffix);
  } else {
    die("only x86_64 and aarch64 are supported", "this architecture");
  }
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
