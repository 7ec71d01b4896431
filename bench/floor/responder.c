/* The exchange's end of the wire: notes when orders and cancels arrive, answers them without any
 * work, and passes everything else on to the paper exchange.
 *
 *     responder LOG PAPER_PORT MARKET_PORT EXCHANGE_INFO
 *
 * LOG is a shared file: how many arrivals there are (8 bytes, 64 reserved), then 64 bytes each:
 * when the first byte was read (CLOCK_MONOTONIC ns), how many orders, what ('O', 'C', 'W'), and the
 * first client order id. An order that is IOC ends at once without a fill, any other rests.
 * SIGUSR1 breaks every connection.
 */
#include "wire.h"

#define ROOM (1 << 20)
#define BUFFER (1 << 17)

struct arrival {
    int64_t at;
    int32_t orders, kind;
    char name[48];
};

struct conn {
    char *held;
    size_t used;
    int64_t began;
    uint64_t key;  /* whose connection it is, by a hash of the API key */
    char listens;  /* it asked for a listen key */
    int other;    /* where bytes go that are not for us; 0: nowhere */
    char role;    /* HTTP, a Tunnel, User stream, WebSocket API, Passed on to */
};

static struct conn conns[MOST];
static int epoll, paper_port, market_port;
static volatile int64_t *count;
static struct arrival *arrivals;
static char *info;
static size_t info_size;
static int highest;
static volatile sig_atomic_t dropping;

#define NAMES (1 << 23)
static uint64_t *seen; /* hashes of the client order ids that came: who asks is told */

static void drop(int number) { dropping = number; }

struct resting {
    char name[48], symbol[24];
};
static struct resting *book;
static int rests;

static uint64_t hash_of(const char *name, size_t size) {
    uint64_t hash = 1469598103934665603u;
    for (size_t n = 0; n < size; n++) hash = (hash ^ (unsigned char)name[n]) * 1099511628211u;
    return hash | 3;
}

/* What became of an order: 0 never came, 'E' ended, 'N' rests; remembers it where told to. */
static char fate(const char *name, size_t size, char new_fate) {
    uint64_t hash = hash_of(name, size), at = hash % NAMES;
    while (seen[at] && (seen[at] | 3) != hash) at = (at + 1) % NAMES;
    if (new_fate) seen[at] = new_fate == 'N' ? hash : hash - 1;
    return !seen[at] ? 0 : seen[at] & 1 ? 'N' : 'E';
}

static void rest(const char *name, size_t size, const char *symbol, size_t length) {
    if (rests % 1024 == 0) book = realloc(book, (rests + 1024) * sizeof *book);
    snprintf(book[rests].name, 48, "%.*s", (int)size, name);
    snprintf(book[rests].symbol, 24, "%.*s", (int)length, symbol);
    rests++;
}


static void note(int64_t at, int orders, int kind, const char *name, size_t size) {
    struct arrival *one = &arrivals[*count % ROOM];
    one->at = at, one->orders = orders, one->kind = kind;
    memset(one->name, 0, sizeof one->name);
    memcpy(one->name, name, size < 47 ? size : 47);
    __sync_synchronize();
    ++*count;
}

static void hang_up(int fd) {
    int other = conns[fd].other;
    if (!conns[fd].held) return;
    free(conns[fd].held);
    memset(&conns[fd], 0, sizeof conns[fd]);
    close(fd);
    if (other && conns[other].held) {
        conns[other].other = 0;
        hang_up(other);
    }
}

static void take(int fd, char role, int other) {
    conns[fd] = (struct conn){.held = malloc(BUFFER + 1), .role = role, .other = other};
    if (fd > highest) highest = fd;
    watch(epoll, fd);
}

static void pass_on(int fd, const char *data, size_t size, int port) {
    if (!conns[fd].other) {
        int other = connected(port);
        if (other < 0) {
            hang_up(fd);
            return;
        }
        take(other, 'P', fd);
        conns[fd].other = other;
    }
    if (send_all(conns[fd].other, data, size)) hang_up(fd);
}

static void reply(int fd, const char *body, size_t size) {
    char *out = malloc(size + 200);
    int head = sprintf(out,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       size);
    memcpy(out + head, body, size);
    int gone = send_all(fd, out, head + size);
    free(out);
    if (gone) hang_up(fd);
}

/* The value behind a name, in a query, a form or percent-encoded JSON; advances the cursor. */
static const char *value(const char **at, const char *end, const char *name, size_t *size) {
    size_t length = strlen(name);
    const char *found = memmem(*at, end - *at, name, length);
    if (!found) return NULL;
    found += length;
    while (found < end && (*found == '=' || *found == ' ' || *found == '%' || *found == '"' || *found == ':'))
        found += *found == '%' ? 3 : 1;
    const char *stop = found;
    while (stop < end && *stop != '&' && *stop != '%' && *stop != '"' && *stop != ' ' && *stop != '\r')
        stop++;
    *size = stop - found, *at = stop;
    return found;
}

static struct {
    uint64_t listen, key;
} listeners[4096];
static int listening_to;

/* Remember whose listen key an answer holds. */
static void learn(const char *data, size_t size, uint64_t key) {
    const char *at = data;
    size_t length;
    const char *listen = value(&at, data + size, "listenKey", &length);
    if (!listen) return;
    listeners[listening_to % 4096].listen = hash_of(listen, length);
    listeners[listening_to++ % 4096].key = key;
}

static uint64_t whose(uint64_t listen) {
    for (int n = 0; n < listening_to && n < 4096; n++)
        if (listeners[n].listen == listen) return listeners[n].key;
    return 0;
}

/* Tell the account's user streams, in one frame for each order, as the exchange does. */
static void tell(uint64_t key, const char *name, int size, const char *symbol, int length, const char *status) {
    char text[1024], frame[1100];
    int64_t at = wall_ms();
    int wrote = snprintf(
        text, sizeof text,
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"E\":%ld,\"T\":%ld,\"o\":{\"s\":\"%.*s\",\"c\":\"%.*s\","
        "\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"0.010\",\"p\":\"69000\",\"ap\":\"0\","
        "\"sp\":\"0\",\"x\":\"%s\",\"X\":\"%s\",\"i\":%ld,\"l\":\"0\",\"z\":\"0\",\"L\":\"0\","
        "\"T\":%ld,\"t\":0,\"ps\":\"BOTH\",\"rp\":\"0\"}}",
        at, at, length, symbol, size, name, status, status,
        (long)(hash_of(name, size) % 1000000000000), at);
    int head = 2;
    frame[0] = (char)0x81;
    if (wrote < 126)
        frame[1] = wrote;
    else
        frame[1] = 126, frame[2] = wrote >> 8, frame[3] = wrote, head = 4;
    memcpy(frame + head, text, wrote);
    for (int fd = 0; fd <= highest; fd++)
        if (conns[fd].role == 'U' && conns[fd].key == key) send_all(fd, frame, head + wrote);
}

static int order_text(char *out, const char *before, const char *symbol, size_t length,
                      const char *name, size_t size, const char *status) {
    return sprintf(
        out,
        "%s{\"orderId\":%ld,\"symbol\":\"%.*s\",\"status\":\"%s\",\"clientOrderId\":\"%.*s\","
        "\"price\":\"69000\",\"avgPrice\":\"0.00\",\"origQty\":\"0.010\",\"executedQty\":\"0\","
        "\"cumQty\":\"0\",\"cumQuote\":\"0\",\"timeInForce\":\"%s\",\"type\":\"LIMIT\","
        "\"reduceOnly\":false,\"closePosition\":false,\"side\":\"BUY\",\"positionSide\":\"BOTH\","
        "\"stopPrice\":\"0\",\"workingType\":\"CONTRACT_PRICE\",\"priceProtect\":false,"
        "\"origType\":\"LIMIT\",\"updateTime\":%ld}",
        before, (long)(hash_of(name, size) % 1000000000000), (int)length, symbol, status, (int)size, name,
        *status == 'E' ? "IOC" : "GTC", wall_ms());
}

static void orders(int fd, const char *data, size_t size, int batch) {
    const char *names[8], *symbols[8], *end = data + size, *at = data, *also = data;
    size_t sizes[8], lengths[8];
    int many = 0, ioc = memmem(data, size, "IOC", 3) != NULL;
    while (many < 5 && (names[many] = value(&at, end, "newClientOrderId", &sizes[many]))) {
        symbols[many] = value(&also, end, "symbol", &lengths[many]);
        if (!symbols[many]) symbols[many] = "BTCUSDT", lengths[many] = 7;
        fate(names[many], sizes[many], ioc ? 'E' : 'N');
        if (!ioc) rest(names[many], sizes[many], symbols[many], lengths[many]);
        many++;
    }
    if (!many) names[0] = "unnamed", sizes[0] = 7, symbols[0] = "BTCUSDT", lengths[0] = 7, many = 1;
    note(conns[fd].began, many, 'O', names[0], sizes[0]);
    char body[8192];
    int wrote = 0;
    const char *status = ioc ? "EXPIRED" : "NEW";
    if (batch) body[wrote++] = '[';
    for (int n = 0; n < many; n++)
        wrote += order_text(body + wrote, n ? "," : "", symbols[n], lengths[n], names[n], sizes[n],
                            status);
    if (batch) body[wrote++] = ']';
    uint64_t key = conns[fd].key;
    reply(fd, body, wrote);
    for (int n = 0; n < many; n++)
        tell(key, names[n], sizes[n], symbols[n], lengths[n], status);
}

/* An order that came is told of; whether others exist, the paper exchange knows. */
static int asked(int fd, const char *data, size_t size) {
    const char *at = data, *also = data;
    size_t length, named;
    const char *name = value(&at, data + size, "origClientOrderId", &named);
    const char *symbol = value(&also, data + size, "symbol", &length);
    char what = name && symbol ? fate(name, named, 0) : 0;
    if (!what) return 0;
    char body[1024];
    const char *status = what == 'N' ? "NEW" : "EXPIRED";
    reply(fd, body, order_text(body, "", symbol, length, name, named, status));
    return 1;
}

static void open_orders(int fd) {
    char *body = malloc(rests * 640 + 2);
    int wrote = sprintf(body, "[");
    for (int n = 0; n < rests; n++)
        wrote += order_text(body + wrote, n ? "," : "", book[n].symbol, strlen(book[n].symbol),
                            book[n].name, strlen(book[n].name), "NEW");
    body[wrote++] = ']';
    reply(fd, body, wrote);
    free(body);
}

static void request(int fd, char *data, size_t size) {
    struct conn *own = &conns[fd];
    char *line = memchr(data, '\r', size), *path = memchr(data, ' ', size) + 1;
    size_t head = (char *)memmem(data, size, "\r\n\r\n", 4) - data;
    const char *cursor = data;
    size_t length;
    const char *key = value(&cursor, data + head, "X-MBX-APIKEY", &length);
    if (key) own->key = hash_of(key, length);
    own->listens = !strncmp(path, "/fapi/v1/listenKey", 18);
    if (memmem(data, head, "pgrade: websocket", 17)) {
        int user = memmem(path, line - path, "listenKey=", 10) != NULL;
        int api = !strncmp(path, "/ws-fapi", 8);
        own->role = user ? 'u' : api ? 'W' : 'T';
        cursor = path;
        const char *listen = user ? value(&cursor, line, "listenKey", &length) : NULL;
        if (listen) own->key = whose(hash_of(listen, length));
        pass_on(fd, data, size, user || api ? paper_port : market_port);
    } else if (!strncmp(data, "POST /fapi/v1/batchOrders", 25)) {
        orders(fd, data, size, 1);
    } else if (!strncmp(data, "POST /fapi/v1/order", 19)) {
        orders(fd, data, size, 0);
    } else if (!strncmp(data, "GET /fapi/v1/exchangeInfo", 25)) {
        reply(fd, info, info_size);
    } else if (rests && !strncmp(data, "GET /fapi/v1/openOrders", 23)) {
        open_orders(fd);
    } else if (strncmp(data, "GET /fapi/v1/order?", 19) || !asked(fd, data, size)) {
        if (!strncmp(data, "DELETE ", 7)) note(own->began, 0, 'C', path, line - path);
        pass_on(fd, data, size, paper_port);
    }
}

/* Orders over the WebSocket API: masked text frames, one in each read. */
static void look_into(const char *data, size_t size, int64_t at) {
    if (size < 8 || (data[0] & 0x0f) != 1 || !(data[1] & 0x80)) return;
    size_t head = (data[1] & 0x7f) == 126 ? 4 : (data[1] & 0x7f) == 127 ? 10 : 2;
    if (size < head + 4) return;
    const char *mask = data + head;
    size_t length = size - head - 4;
    char *text = malloc(length + 1);
    for (size_t n = 0; n < length; n++) text[n] = data[head + 4 + n] ^ mask[n % 4];
    const char *cursor = text;
    size_t named;
    if (memmem(text, length, "order.place", 11)) {
        const char *name = value(&cursor, text + length, "newClientOrderId", &named);
        note(at, 1, 'O', name ? name : "", name ? named : 0);
    } else if (memmem(text, length, "order.cancel", 12)) {
        note(at, 0, 'C', "order.cancel", 12);
    }
    free(text);
}

static void readable(int fd) {
    struct conn *own = &conns[fd];
    if (!own->held) return;
    ssize_t got = recv(fd, own->held + own->used, BUFFER - own->used, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        hang_up(fd);
        return;
    }
    if (!own->used) own->began = now_ns();
    own->used += got, own->held[own->used] = 0;
    if (own->role == 'H') {
        size_t size;
        while (own->held && own->role == 'H' && (size = whole_request(own->held, own->used))) {
            own->used -= size;
            request(fd, own->held, size);
            if (own->held) memmove(own->held, own->held + size, own->used);
        }
        return;
    }
    if (own->role == 'W') look_into(own->held, got, own->began);
    own->used = 0;
    if (!own->other) return;
    /* only a stream that was opened hears of orders */
    if (conns[own->other].role == 'u') conns[own->other].role = 'U';
    if (conns[own->other].listens) learn(own->held, got, conns[own->other].key);
    if (send_all(own->other, own->held, got)) hang_up(fd);
}

static void map_log(const char *path) {
    size_t size = 64 + sizeof(struct arrival) * (size_t)ROOM;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, size)) die(path);
    char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) die("mmap");
    count = (int64_t *)shared, arrivals = (struct arrival *)(shared + 64);
}

static void read_info(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    info_size = ftell(file), info = malloc(info_size);
    rewind(file);
    if (fread(info, 1, info_size, file) != info_size) die(path);
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    map_log(argv[1]);
    paper_port = atoi(argv[2]), market_port = atoi(argv[3]);
    read_info(argv[4]);
    seen = calloc(NAMES, sizeof *seen);
    struct sigaction on_drop = {.sa_handler = drop};
    sigaction(SIGUSR1, &on_drop, NULL);
    epoll = epoll_create1(0);
    int door = listening();
    watch(epoll, door);
    struct epoll_event events[256];
    for (;;) {
        int many = epoll_wait(epoll, events, 256, -1);
        if (dropping) {
            dropping = 0;
            for (int fd = 0; fd <= highest; fd++)
                if (conns[fd].role != 'P') hang_up(fd);
            continue;
        }
        for (int n = 0; n < many; n++) {
            int fd = events[n].data.fd;
            if (fd != door) {
                readable(fd);
                continue;
            }
            int fresh;
            while ((fresh = accept(door, NULL, NULL)) >= 0 && fresh < MOST) {
                no_delay(fresh);
                take(fresh, 'H', 0);
            }
        }
    }
}
