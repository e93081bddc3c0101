// upstream PORT: a model provider that costs next to nothing, so that what is measured is what stands before it.
//
// Answers every POST with a fixed chat completion, or, where the body has "stream": true, with 200 chunks of a
// server-sent stream and its end. Each chunk is written by itself. With PACE_MS set, a chunk goes out every so many
// milliseconds instead of at once. One thread, epoll.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { CHUNKS = 200, MAX_CONNECTIONS = 65536, FIRST_BUFFER = 65536, MAX_EVENTS = 256 };

typedef struct {
    int descriptor;
    int chunks_left;  // of a paced stream
    size_t used, size;
    char *buffer;
} Connection;

static Connection *connections[MAX_CONNECTIONS];
static char answer[2048], chunk[512], last_chunk[512];
static int answer_length, chunk_length, last_length, pace_milliseconds;

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char COMPLETION[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"gpt-4o-mini\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"A fox is quick and brown; it jumps "
    "over dogs, which are lazy, and back again when nobody looks. The dogs seldom mind it.\",\"refusal\":null},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":42,\"completion_tokens\":27,"
    "\"total_tokens\":69,\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":"
    "{\"reasoning_tokens\":0}},\"system_fingerprint\":\"fp_1\"}";
static const char EVENT[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},"
    "\"finish_reason\":null}]}\n\n";
static const char LAST_EVENTS[] =
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":42,\"completion_tokens\":200,"
    "\"total_tokens\":242}}\n\ndata: [DONE]\n\n";

static void prepare_answers(void) {
    answer_length = sprintf(answer,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            sizeof COMPLETION - 1, COMPLETION);
    chunk_length = sprintf(chunk, "%zx\r\n%s\r\n", sizeof EVENT - 1, EVENT);
    last_length = sprintf(last_chunk, "%zx\r\n%s\r\n0\r\n\r\n", sizeof LAST_EVENTS - 1, LAST_EVENTS);
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int send_all(int descriptor, const char *bytes, int length) {
    while (length > 0) {
        int sent = send(descriptor, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            usleep(50);
            continue;
        }
        if (sent < 0) return -1;
        bytes += sent;
        length -= sent;
    }
    return 0;
}

static void drop(Connection *connection) {
    close(connection->descriptor);
    connections[connection->descriptor] = NULL;
    free(connection->buffer);
    free(connection);
}

// Returns the length of the request at the start of the buffer, or 0 if more of it is to come.
static size_t request_length(Connection *connection, char **body) {
    char *end = memmem(connection->buffer, connection->used, "\r\n\r\n", 4);
    if (!end) return 0;
    *body = end + 4;
    size_t head = *body - connection->buffer;
    size_t length = 0;
    for (char *line = connection->buffer; line < end;) {
        char *next = memmem(line, end + 2 - line, "\r\n", 2);
        if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        line = next + 2;
    }
    return connection->used >= head + length ? head + length : 0;
}

static int wants_stream(const char *body, size_t length) {
    const char *field = memmem(body, length, "\"stream\":", 9);
    if (!field) return 0;
    for (field += 9; *field == ' '; field++) {}
    return !strncmp(field, "true", 4);
}

static int answer_request(Connection *connection, char *body, size_t body_length) {
    int descriptor = connection->descriptor;
    if (!wants_stream(body, body_length)) return send_all(descriptor, answer, answer_length);
    if (send_all(descriptor, STREAM_HEAD, sizeof STREAM_HEAD - 1)) return -1;
    if (pace_milliseconds) {
        connection->chunks_left = CHUNKS + 1;
        return 0;
    }
    for (int number = 0; number < CHUNKS; number++) {
        if (send_all(descriptor, chunk, chunk_length)) return -1;
    }
    return send_all(descriptor, last_chunk, last_length);
}

static void read_requests(Connection *connection) {
    if (connection->used == connection->size) {
        connection->size *= 2;
        connection->buffer = realloc(connection->buffer, connection->size + 1);
        if (!connection->buffer) fail("realloc");
    }
    int got = recv(connection->descriptor, connection->buffer + connection->used, connection->size - connection->used, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(connection);
        return;
    }
    connection->used += got;
    connection->buffer[connection->used] = 0;
    char *body;
    for (size_t length; (length = request_length(connection, &body));) {
        if (answer_request(connection, body, connection->buffer + length - body)) {
            drop(connection);
            return;
        }
        connection->used -= length;
        memmove(connection->buffer, connection->buffer + length, connection->used);
    }
}

static void accept_all(int listener, int events) {
    int descriptor, on = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *connection = calloc(1, sizeof *connection);
        *connection = (Connection){.descriptor = descriptor, .size = FIRST_BUFFER, .buffer = malloc(FIRST_BUFFER + 1)};
        connections[descriptor] = connection;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
        epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event);
    }
}

static void send_paced_chunks(int timer) {
    unsigned long long ticks;
    if (read(timer, &ticks, sizeof ticks) < 0) return;
    for (int descriptor = 0; descriptor < MAX_CONNECTIONS; descriptor++) {
        Connection *connection = connections[descriptor];
        if (!connection || !connection->chunks_left) continue;
        int is_last = --connection->chunks_left == 0;
        if (send_all(descriptor, is_last ? last_chunk : chunk, is_last ? last_length : chunk_length)) drop(connection);
    }
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    const char *pace = getenv("PACE_MS");
    pace_milliseconds = pace ? atoi(pace) : 0;
    prepare_answers();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, timer = -1, events = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[MAX_EVENTS];
    epoll_ctl(events, EPOLL_CTL_ADD, listener, &event);
    if (pace_milliseconds) {
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        long seconds = pace_milliseconds / 1000, nanoseconds = pace_milliseconds % 1000 * 1000000L;
        struct itimerspec every = {{seconds, nanoseconds}, {seconds, nanoseconds}};
        timerfd_settime(timer, 0, &every, NULL);
        event.data.fd = timer;
        epoll_ctl(events, EPOLL_CTL_ADD, timer, &event);
    }
    for (;;) {
        int number = epoll_wait(events, ready, MAX_EVENTS, -1);
        for (int index = 0; index < number; index++) {
            int descriptor = ready[index].data.fd;
            if (descriptor == listener) {
                accept_all(listener, events);
            } else if (descriptor == timer) {
                send_paced_chunks(timer);
            } else if (connections[descriptor]) {
                read_requests(connections[descriptor]);
            }
        }
    }
}
