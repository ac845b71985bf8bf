/* small32 DO [PORT]: a 32-bit program without a C library: what it asks the kernel for comes by the calls of
 * a 32-bit program and by nothing else. It says what became of it, one line a step: WORD NUMBER.
 *
 *   connect PORT, connect-socketcall PORT   connects over IPv4 loopback: `connect RESULT`, `port LOCAL`
 *   accept, accept-socketcall               listens there: `bind RESULT`, `port LOCAL`, `accept RESULT`
 *   exec                                    becomes itself with the argument `done`
 *   exec-missing                            tries to become what is not there: `exec RESULT`
 *   done                                    nothing
 *
 * The kernel's headers for 32-bit programs are not installed where only 64-bit ones are built, so that it
 * needs none. */

/* Numbers of arch/x86/entry/syscalls/syscall_32.tbl. */
enum {
  nr_exit = 1,
  nr_write = 4,
  nr_close = 6,
  nr_execve = 11,
  nr_socketcall = 102,
  nr_socket = 359,
  nr_bind = 361
};
enum { nr_connect = 362, nr_listen = 363, nr_accept4 = 364, nr_getsockname = 367 };
enum { call_socket = 1, call_bind, call_connect, call_listen, call_getsockname = 6, call_accept4 = 18 };
enum { stream = 1, inet = 2, loopback = 0x7f000001 };

struct name {
  unsigned short family;
  unsigned short port;
  unsigned address;
  char unused[8];
};

static int through_socketcall;

static int system_call(int number, long first, long second, long third, long fourth) {
  int result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth)
                   : "memory", "cc");
  return result;
}

/* By its own number, or as the call WHICH of socketcall. */
static int socket_call(int number, int which, long first, long second, long third, long fourth) {
  long arguments[4] = {first, second, third, fourth};

  if (!through_socketcall) return system_call(number, first, second, third, fourth);
  return system_call(nr_socketcall, which, (long)arguments, 0, 0);
}

static int same(const char *one, const char *other) {
  while (*one && *one == *other) ++one, ++other;
  return *one == *other;
}

static void say(const char *word, int number) {
  char line[40], digits[12];
  int length = 0, count = 0;
  unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;

  while (*word) line[length++] = *word++;
  line[length++] = ' ';
  if (number < 0) line[length++] = '-';
  do digits[count++] = (char)('0' + rest % 10);
  while (rest /= 10);
  while (count) line[length++] = digits[--count];
  line[length++] = '\n';
  system_call(nr_write, 1, (long)line, length, 0);
}

static struct name loopback_name(unsigned port) {
  struct name name = {inet, __builtin_bswap16((unsigned short)port), __builtin_bswap32(loopback), {0}};

  return name;
}

static void say_port(int fd) {
  struct name name;
  int size = sizeof(name);

  socket_call(nr_getsockname, call_getsockname, fd, (long)&name, (long)&size, 0);
  say("port", __builtin_bswap16(name.port));
}

static int new_socket(void) {
  return socket_call(nr_socket, call_socket, inet, stream, 0, 0);
}

static void connect_to(unsigned port) {
  struct name name = loopback_name(port);
  int fd = new_socket();

  say("connect", socket_call(nr_connect, call_connect, fd, (long)&name, sizeof(name), 0));
  say_port(fd);
  system_call(nr_close, fd, 0, 0, 0);
}

static void accept_one(void) {
  struct name name = loopback_name(0);
  int listener = new_socket(), connection;

  say("bind", socket_call(nr_bind, call_bind, listener, (long)&name, sizeof(name), 0));
  socket_call(nr_listen, call_listen, listener, 1, 0, 0);
  say_port(listener);
  connection = socket_call(nr_accept4, call_accept4, listener, 0, 0, 0);
  say("accept", connection < 0 ? connection : 0);
  system_call(nr_close, connection, 0, 0, 0);
  system_call(nr_close, listener, 0, 0, 0);
}

static unsigned number_in(const char *text) {
  unsigned number = 0;

  while (*text >= '0' && *text <= '9') number = number * 10 + (unsigned)(*text++ - '0');
  return number;
}

static void perform(int count, char **arguments, char **environment) {
  const char *deed = count > 1 ? arguments[1] : "done";
  char *again[] = {arguments[0], "done", 0};

  through_socketcall = same(deed, "connect-socketcall") || same(deed, "accept-socketcall");
  if (same(deed, "exec-missing")) {
    say("exec", system_call(nr_execve, (long)"/nonexistent/small32", (long)again, (long)environment, 0));
  } else if (same(deed, "exec")) {
    say("exec", system_call(nr_execve, (long)arguments[0], (long)again, (long)environment, 0));
  } else if (same(deed, "accept") || same(deed, "accept-socketcall")) {
    accept_one();
  } else if (count > 2) {
    connect_to(number_in(arguments[2]));
  }
}

/* The stack as the kernel lays it out: argc, argv, NULL, environment, NULL. */
__attribute__((used)) static void start(long *stack) {
  int count = (int)stack[0];
  char **arguments = (char **)(stack + 1);

  perform(count, arguments, arguments + count + 1);
  system_call(nr_exit, 0, 0, 0, 0);
}

__asm__(
    ".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %esp, %eax\n  and $-16, %esp\n  sub $12, %esp\n  push "
    "%eax\n  call start\n");
