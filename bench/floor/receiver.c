/* The floor: takes an alert over HTTP, makes it durable, sends a signed batch, answers.
 *
 *     receiver JOURNAL BATCH RESPONDER_PORT [RECORD_BYTES]
 *
 * One thread and epoll. What is there at once is made durable by one append and one fdatasync.
 * BATCH is a file with the bytes of the whole signed request. Without a JOURNAL ("-") nothing is
 * kept. Prints the alerts, the batches and the syncs when it is told to end.
 */
#include "wire.h"

#define BUFFER 16384
#define LANES 4
#define SECRET "bench-alert-secret"

static char *held[MOST];
static size_t used[MOST];
static char batch[BUFFER];
static size_t batch_size;
static int lanes[LANES];
static volatile sig_atomic_t ended;

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
    "{\"outcome\":\"fired\"}";
static const char refused[] = "HTTP/1.1 404 NOT FOUND\r\nContent-Length: 0\r\n\r\n";

static void end(int number) { ended = number; }

static void hang_up(int fd) {
    free(held[fd]);
    held[fd] = NULL, used[fd] = 0;
    close(fd);
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    size_t record = argc > 4 ? strtoul(argv[4], NULL, 10) : 4096;
    int journal = -1;
    if (strcmp(argv[1], "-")) journal = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    FILE *file = fopen(argv[2], "r");
    if (!file || !(batch_size = fread(batch, 1, BUFFER, file))) die(argv[2]);
    char *rows = calloc(256, record);
    memset(rows, 'x', 256 * record);
    signal(SIGTERM, end);
    int epoll = epoll_create1(0), door = listening();
    watch(epoll, door);
    for (int n = 0; n < LANES; n++) {
        lanes[n] = connected(atoi(argv[3]));
        if (lanes[n] < 0) die("connect");
        watch(epoll, lanes[n]);
    }
    long alerts = 0, syncs = 0, sent = 0;
    struct epoll_event events[256];
    int ready[256];
    while (!ended) {
        int many = epoll_wait(epoll, events, 256, -1), waiting = 0;
        for (int n = 0; n < many; n++) {
            int fd = events[n].data.fd, fresh, lane = 0;
            while (lane < LANES && lanes[lane] != fd) lane++;
            if (lane < LANES) {
                char drop[65536];
                if (recv(fd, drop, sizeof drop, MSG_DONTWAIT) == 0) return 1;
            } else if (fd == door) {
                while ((fresh = accept(door, NULL, NULL)) >= 0) {
                    held[fresh] = malloc(BUFFER + 1);
                    watch(epoll, fresh);
                }
            } else {
                ssize_t got = recv(fd, held[fd] + used[fd], BUFFER - used[fd], MSG_DONTWAIT);
                if (got <= 0) {
                    hang_up(fd);
                    continue;
                }
                used[fd] += got, held[fd][used[fd]] = 0;
                if (!whole_request(held[fd], used[fd])) continue;
                if (memmem(held[fd], used[fd], SECRET, sizeof SECRET - 1))
                    ready[waiting++] = fd;
                else
                    send_all(fd, refused, sizeof refused - 1);
                used[fd] = 0;
            }
        }
        if (!waiting) continue;
        if (journal >= 0) {
            if (write(journal, rows, waiting * record) < 0 || fdatasync(journal)) die("journal");
            syncs++;
        }
        for (int n = 0; n < waiting; n++) {
            if (send_all(lanes[sent++ % LANES], batch, batch_size)) die("send");
        }
        for (int n = 0; n < waiting; n++) send_all(ready[n], answer, sizeof answer - 1);
        alerts += waiting;
    }
    printf("{\"alerts\": %ld, \"batches\": %ld, \"syncs\": %ld}\n", alerts, sent, syncs);
    return 0;
}
