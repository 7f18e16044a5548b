/*
 * A wide-area link between two network namespaces: two TUN devices and this process between them.
 *
 *   wan NAMESPACE DEVICE NAMESPACE DEVICE DELAY-US LOSS RATE-BPS QUEUE-US SEED
 *
 * In each direction a packet first waits for its turn at RATE-BPS bits a second behind at most QUEUE-US
 * microseconds of others (drop-tail), is then lost with probability LOSS, or else arrives DELAY-US later.
 * Bits are those of the IP packet: there is no framing below it. IPv4 and IPv6, MTU as set on the devices.
 *
 * The devices are made here and go with this process; addresses and routes are the caller's. `ready` on stdout
 * says that they exist. Each byte read from stdin is answered with a line of counters as JSON; the same line is
 * the last one. Ends on SIGTERM, SIGINT, or end of stdin, so that a killed parent leaves nothing behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
/* While packets flow the devices are drained once a tick instead of once a packet: fewer wake-ups, in bigger batches. */
#define TICK 200000ull
#define MAX_PACKET 65536

typedef uint64_t Time; /* nanoseconds of CLOCK_MONOTONIC */

/* A packet under way; its bytes follow it in the ring. */
typedef struct {
  Time arrives;
  uint64_t length;
} Packet;

typedef struct {
  int from, to; /* TUN devices, non-blocking */
  /* Packets in order of arrival. `head` and `tail` only grow; the place in the ring is their remainder. */
  char *ring;
  uint64_t size, head, tail;
  Time free_at; /* when the last bit of all accepted packets has left the queue */
  uint64_t random;
  uint64_t packets, bytes; /* delivered */
  uint64_t lost, dropped, refused; /* by chance; by the full queue; by the device written to */
} Direction;

static Time delay_time, queue_time;
static double loss, rate;

static void die(const char *format, ...) {
  int error = errno;
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fprintf(stderr, ": %s\n", strerror(error));
  exit(1);
}

static Time now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (Time)at.tv_sec * SECOND + (Time)at.tv_nsec;
}

/* splitmix64, as a number in [0, 1). */
static double next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* A TUN device stays in the namespace in which it was opened, wherever its process goes afterwards. */
static int open_tun(const char *namespace, const char *device) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
  int net = open(path, O_RDONLY | O_CLOEXEC);
  if (net < 0) die("%s", path);
  if (setns(net, CLONE_NEWNET) < 0) die("setns %s", namespace);
  close(net);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  if (strlen(device) >= sizeof request.ifr_name) {
    errno = ENAMETOOLONG;
    die("%s", device);
  }
  strcpy(request.ifr_name, device);
  if (ioctl(tun, TUNSETIFF, &request) < 0) die("TUNSETIFF %s", device);
  return tun;
}

static void make_ring(Direction *direction) {
  /* All that can be under way, twice over for the records of small packets, and what a late wake-up lets pile up. */
  double seconds = (double)(delay_time + queue_time + SECOND / 10) / SECOND;
  direction->size = ((uint64_t)(rate / 8 * seconds * 2) + (1 << 20)) & ~7ull;
  direction->ring = mmap(NULL, direction->size + MAX_PACKET + sizeof(Packet), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (direction->ring == MAP_FAILED) die("mmap");
}

/* A record never wraps: the ring has room past its end for the one that begins just before it. */
static Packet *record_at(const Direction *direction, uint64_t offset) {
  return (Packet *)(direction->ring + offset % direction->size);
}

/* Where the record after one of so many bytes begins; a record that ran past the ring's end is followed by the start. */
static uint64_t after(const Direction *direction, uint64_t offset, uint64_t length) {
  uint64_t next = offset + ((sizeof(Packet) + length + 7) & ~7ull);
  return offset / direction->size == next / direction->size ? next : next - next % direction->size;
}

/* Takes every packet that waits in the device. `since` is when that was last done: they came in between. */
static int drain(Direction *direction, Time since, Time at) {
  int seen = 0;
  for (;;) {
    /* One whole packet and the record after it must fit, also where the head skips to the ring's start. A full ring
       (a very late wake-up) counts as flowing: what waits in the device is looked at again a tick later. */
    if (direction->head - direction->tail + 2 * (MAX_PACKET + sizeof(Packet)) > direction->size) return 1;
    Packet *packet = record_at(direction, direction->head);
    ssize_t length = read(direction->from, packet + 1, MAX_PACKET);
    if (length <= 0) break;
    seen++;
    Time begins = direction->free_at > since ? direction->free_at : since;
    if (begins > at + queue_time) {
      direction->dropped++;
      continue;
    }
    direction->free_at = begins + (Time)((double)length * 8 * SECOND / rate);
    if (next_random(&direction->random) < loss) {
      direction->lost++;
      continue;
    }
    packet->arrives = (direction->free_at > at ? direction->free_at : at) + delay_time;
    packet->length = (uint64_t)length;
    direction->head = after(direction, direction->head, packet->length);
  }
  return seen;
}

static void deliver(Direction *direction, Time at) {
  while (direction->tail != direction->head) {
    Packet *packet = record_at(direction, direction->tail);
    if (packet->arrives > at) break;
    if (write(direction->to, packet + 1, packet->length) < 0) {
      direction->refused++;
    } else {
      direction->packets++;
      direction->bytes += packet->length;
    }
    direction->tail = after(direction, direction->tail, packet->length);
  }
}

static Time next_arrival(const Direction *direction) {
  return direction->tail == direction->head ? UINT64_MAX : record_at(direction, direction->tail)->arrives;
}

static void print_counters(const Direction *directions) {
  for (int i = 0; i < 2; i++) {
    const Direction *one = directions + i;
    printf("%s{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"dropped\":%" PRIu64
           ",\"refused\":%" PRIu64 "}%s",
           i == 0 ? "[" : ",", one->packets, one->bytes, one->lost, one->dropped, one->refused,
           i == 0 ? "" : "]\n");
  }
  fflush(stdout);
}

static int catch_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN); /* a parent that no longer reads is about to be noticed by its stdin */
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) die("signalfd");
  return fd;
}

static void carry(Direction *directions) {
  struct pollfd polled[4] = {
      {.fd = catch_signals(), .events = POLLIN},
      {.fd = 0, .events = POLLIN},
      {.fd = directions[0].from, .events = POLLIN},
      {.fd = directions[1].from, .events = POLLIN},
  };
  int flowing = 0;
  Time drained = now();
  for (;;) {
    Time at = now();
    Time first = next_arrival(&directions[0]);
    Time second = next_arrival(&directions[1]);
    Time due = first < second ? first : second;
    Time wait = due > at + TICK ? due - at : TICK;
    if (flowing && wait > TICK) wait = TICK;
    struct timespec timeout = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
    /* While packets flow only the time is waited for, not the next packet. */
    int some = ppoll(polled, flowing ? 2 : 4, !flowing && due == UINT64_MAX ? NULL : &timeout, NULL);
    if (some < 0 && errno != EINTR) die("ppoll");
    if (some > 0 && polled[0].revents) return;
    if (some > 0 && polled[1].revents) {
      char asked[64];
      ssize_t count = read(0, asked, sizeof asked);
      if (count <= 0) return;
      while (count-- > 0) print_counters(directions);
    }
    at = now();
    /* An idle link begins with its first packet, a flowing one at most a tick before it was looked at. */
    Time since = flowing ? (at - drained > 10 * TICK ? at - 10 * TICK : drained) : at;
    flowing = drain(&directions[0], since, at) + drain(&directions[1], since, at);
    drained = at;
    deliver(&directions[0], at);
    deliver(&directions[1], at);
  }
}

static double number(const char *text, double least, double most) {
  char *end;
  errno = EINVAL;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= least && value <= most)) die("%s", text);
  return value;
}

int main(int argc, char **argv) {
  if (argc != 10) {
    fputs("wan NAMESPACE DEVICE NAMESPACE DEVICE DELAY-US LOSS RATE-BPS QUEUE-US SEED\n", stderr);
    return 2;
  }
  delay_time = (Time)(number(argv[5], 0, 1e7) * 1000);
  loss = number(argv[6], 0, 1);
  rate = number(argv[7], 1e3, 1e11);
  queue_time = (Time)(number(argv[8], 0, 1e7) * 1000);
  uint64_t seed = (uint64_t)number(argv[9], 0, 9007199254740991.0);
  int left = open_tun(argv[1], argv[2]);
  int right = open_tun(argv[3], argv[4]);
  Direction directions[2] = {
      {.from = left, .to = right, .random = seed},
      {.from = right, .to = left, .random = ~seed},
  };
  make_ring(&directions[0]);
  make_ring(&directions[1]);
  /* A wire does not wait for a processor: ahead of the programs that it joins, where that is allowed. */
  struct sched_param first = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_RR, &first);
  prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
  puts("ready");
  fflush(stdout);
  carry(directions);
  print_counters(directions);
  return 0;
}
