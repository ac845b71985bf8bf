/* The judgement: does any rule of the program, or of any program, match?
 *
 * It is made by one side of the whitelist and then held against the clock: where the sides were exchanged in
 * the meantime it is made anew, as the old side may be written by now. User space need not wait for anybody,
 * and nobody for user space. */
#include "whitelist.h"

#include "socket.h"

static __always_inline __u64 whitelist__turn(void) {
  __u32 key = 0;
  __u64 *turn = bpf_map_lookup_elem(&whitelist_turn, &key);

  return turn ? *(volatile __u64 *)turn : 0;
}

static __always_inline struct iptrackd_program_rules *side__program(__u64 side,
                                                                    const struct iptrackd_program *program) {
  return side & 1 ? bpf_map_lookup_elem(&whitelist_programs_odd, program)
                  : bpf_map_lookup_elem(&whitelist_programs_even, program);
}

static __always_inline struct iptrackd_network_rule *side__network_rule(__u64 side,
                                                                        const struct iptrackd_rule_key *key) {
  return side & 1 ? bpf_map_lookup_elem(&whitelist_network_odd, key)
                  : bpf_map_lookup_elem(&whitelist_network_even, key);
}

static __always_inline struct iptrackd_exec_rule *side__exec_rule(__u64 side,
                                                                  const struct iptrackd_rule_key *key) {
  return side & 1 ? bpf_map_lookup_elem(&whitelist_exec_odd, key)
                  : bpf_map_lookup_elem(&whitelist_exec_even, key);
}

static __always_inline void key__begin(struct iptrackd_rule_key *key, const struct iptrackd_program *program,
                                       __u32 number) {
  if (!(number & WHITELIST_ANY_PROGRAM)) key->program = *program;
  key->number = number & (IPTRACKD_PROGRAM_RULES_MAX - 1);
}

/* What the event does not meet of rule NUMBER, which may be WHITELIST_ANY_PROGRAM with a number; 0: it meets
 * all. A function of its own for the verifier, which looks at it once and not for each number. */
__noinline int whitelist__network_unmet(__u32 index, __u32 side, __u32 number) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);
  struct iptrackd_rule_key key = {};
  struct iptrackd_network_rule *rule;

  if (!question) return -1;
  key__begin(&key, &question->network.program, number);
  rule = side__network_rule(side, &key);
  return rule ? iptrackd_network_rule_unmet(rule, &question->network) : -1;
}

__noinline int whitelist__exec_unmet(__u32 index, __u32 side, __u32 number) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);
  struct iptrackd_rule_key key = {};
  struct iptrackd_exec_rule *rule;

  if (!question) return -1;
  key__begin(&key, &question->exec.program, number);
  rule = side__exec_rule(side, &key);
  return rule ? iptrackd_exec_rule_unmet(rule, &question->exec) : -1;
}

/* By the rules of its program, or, if ANY is WHITELIST_ANY_PROGRAM, by those of any program. */
__noinline int whitelist__try_network(__u32 index, __u32 side, __u32 any) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);
  struct iptrackd_rule_key key = {};
  struct iptrackd_program_rules *rules;
  __u32 verdict = 0;
  __u64 left;

  if (!question) return 0;
  key__begin(&key, &question->network.program, any);
  rules = side__program(side, &key.program);
  if (!rules) return 0;
  left = rules->network;
  for (__u32 number = 0; number < IPTRACKD_PROGRAM_RULES_MAX; number++, left >>= 1) {
    int unmet;

    if (!left) break;
    if (!(left & 1)) continue;
    unmet = whitelist__network_unmet(index, side, any | number);
    if (!unmet) return WHITELIST_DROP | any | number;
    if (unmet == IPTRACKD_RULE_LOCAL_PORT && question->network.local_port == 0)
      verdict = WHITELIST_ASKS_LOCAL_PORT;
  }
  return verdict;
}

__noinline int whitelist__try_exec(__u32 index, __u32 side, __u32 any) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);
  struct iptrackd_rule_key key = {};
  struct iptrackd_program_rules *rules;
  __u64 left;

  if (!question) return 0;
  key__begin(&key, &question->exec.program, any);
  rules = side__program(side, &key.program);
  if (!rules) return 0;
  left = rules->exec;
  for (__u32 number = 0; number < IPTRACKD_PROGRAM_RULES_MAX; number++, left >>= 1) {
    if (!left) break;
    if (!(left & 1)) continue;
    if (!whitelist__exec_unmet(index, side, any | number)) return WHITELIST_DROP | any | number;
  }
  return 0;
}

static __always_inline void network_rule__hit(const struct whitelist_question *question, __u64 side,
                                              __u32 verdict) {
  struct iptrackd_rule_key key = {};
  struct iptrackd_network_rule *rule;

  key__begin(&key, &question->network.program, verdict);
  rule = side__network_rule(side, &key);
  if (rule) __sync_fetch_and_add(&rule->hits, 1);
}

static __always_inline void exec_rule__hit(const struct whitelist_question *question, __u64 side,
                                           __u32 verdict) {
  struct iptrackd_rule_key key = {};
  struct iptrackd_exec_rule *rule;

  key__begin(&key, &question->exec.program, verdict);
  rule = side__exec_rule(side, &key);
  if (rule) __sync_fetch_and_add(&rule->hits, 1);
}

/* Twice at most: between two exchanges lie thousands of judgements. What cannot be judged is stored. */
#define WHITELIST_TRIES 2

__noinline int whitelist__judge_network(__u32 index, __u32 counts) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);

  if (!question) return 0;
  for (int i = 0; i < WHITELIST_TRIES; i++) {
    __u64 turn = whitelist__turn();
    __u32 verdict = whitelist__try_network(index, turn & 1, 0);

    if (!(verdict & WHITELIST_DROP))
      verdict |= whitelist__try_network(index, turn & 1, WHITELIST_ANY_PROGRAM);
    if (whitelist__turn() != turn) continue;
    if (counts && (verdict & WHITELIST_DROP)) network_rule__hit(question, turn & 1, verdict);
    return verdict;
  }
  return 0;
}

__noinline int whitelist__judge_exec(__u32 index, __u32 counts) {
  struct whitelist_question *question = bpf_map_lookup_elem(&whitelist_questions, &index);

  if (!question) return 0;
  for (int i = 0; i < WHITELIST_TRIES; i++) {
    __u64 turn = whitelist__turn();
    __u32 verdict = whitelist__try_exec(index, turn & 1, 0);

    if (!(verdict & WHITELIST_DROP)) verdict |= whitelist__try_exec(index, turn & 1, WHITELIST_ANY_PROGRAM);
    if (whitelist__turn() != turn) continue;
    if (counts && (verdict & WHITELIST_DROP)) exec_rule__hit(question, turn & 1, verdict);
    return verdict;
  }
  return 0;
}

/* What user space runs by BPF_PROG_TEST_RUN -------------------------------------------------------------- */

static __always_inline struct whitelist_desk *desk__find(void) {
  __u32 key = 0;

  return bpf_map_lookup_elem(&whitelist_desk, &key);
}

/* Which file the caller's descriptor, the first argument, refers to: stat(2) does not tell the kernel's
 * device on overlayfs, nor the generation. */
SEC("raw_tp/iptrackd_identify")
int whitelist_identify(struct bpf_raw_tracepoint_args *context) {
  struct file *file = fd__file((__u32)context->args[0]);
  struct whitelist_desk *desk = desk__find();

  if (!desk) return 0;
  desk->found = file != NULL;
  if (!file) return 0;
  desk->file.inode = BPF_CORE_READ(file, f_inode, i_ino);
  desk->file.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
  desk->file.generation = BPF_CORE_READ(file, f_inode, i_generation);
  return 0;
}

/* Judges the question on the desk as the hooks would; the first argument is the kind. */
SEC("raw_tp/iptrackd_judge")
int whitelist_judge(struct bpf_raw_tracepoint_args *context) {
  __u32 kind = context->args[0];
  struct whitelist_desk *desk = desk__find();
  struct scratch *scratch = network_scratch__try(kind);
  struct whitelist_question *question;

  if (!scratch) return 0;
  question = question__of(scratch);
  if (desk && question) {
    *question = desk->question;
    desk->verdict = kind == IPTRACKD_KIND_EXEC ? whitelist__judge_exec(scratch->question, 0)
                                               : whitelist__judge_network(scratch->question, 0);
    desk->found = 1;
  }
  scratch__give_back(scratch);
  return 0;
}
