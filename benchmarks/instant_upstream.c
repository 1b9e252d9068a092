/* An OpenAI-compatible server that answers at once: one thread, epoll, no allocation per request.

       cc -O2 -o instant_upstream instant_upstream.c && ./instant_upstream        prints its port

   POST with "stream":true in its body: 32 chunks in one write each; POST with "logprobs":true: the answer with its token's log-probability;
   other POSTs: the answer; GET: the list of its one model. Connections are kept alive. For benchmarks only: it trusts its client. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNKS = 32, LARGEST = 1 << 20, MOST = 70000 };

typedef struct {
    char *data;
    size_t size, room;
} Connection;

static Connection *connections[MOST];
static char plain[2048], with_logprobs[2048], models[1024], stream_head[256], chunks[CHUNKS + 3][512];

static void make(char *out, size_t room, const char *body) {
    snprintf(out, room, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", strlen(body), body);
}

static void make_answer(char *out, size_t room, const char *logprobs) {
    char body[1600];
    snprintf(body, sizeof body,
             "{\"id\":\"chatcmpl-instant\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"instant\",\"choices\":[{\"index\":0,"
             "\"message\":{\"role\":\"assistant\",\"content\":\"Paris\"},\"logprobs\":%s,\"finish_reason\":\"stop\"}],"
             "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":1,\"total_tokens\":21}}",
             logprobs);
    make(out, room, body);
}

static void make_chunk(char *out, size_t room, const char *delta, const char *finish) {
    char data[400];
    snprintf(data, sizeof data,
             "data: {\"id\":\"chatcmpl-instant\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"instant\","
             "\"choices\":[{\"index\":0,\"delta\":%s,\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
             delta, finish);
    snprintf(out, room, "%zx\r\n%s\r\n", strlen(data), data);
}

static void prepare(void) {
    make_answer(plain, sizeof plain, "null");
    make_answer(with_logprobs, sizeof with_logprobs,
                "{\"content\":[{\"token\":\"Paris\",\"logprob\":-0.05,\"bytes\":[80,97,114,105,115],\"top_logprobs\":["
                "{\"token\":\"Paris\",\"logprob\":-0.05,\"bytes\":[80,97,114,105,115]},{\"token\":\"Lyon\",\"logprob\":-3.5,\"bytes\":[76]}]}]}");
    make(models, sizeof models, "{\"object\":\"list\",\"data\":[{\"id\":\"instant\",\"object\":\"model\",\"created\":0,\"owned_by\":\"benchmark\"}]}");
    snprintf(stream_head, sizeof stream_head,
             "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++) make_chunk(chunks[i], sizeof chunks[i], i ? "{\"content\":\" word\"}" : "{\"role\":\"assistant\",\"content\":\"One\"}", "null");
    make_chunk(chunks[CHUNKS], sizeof chunks[CHUNKS], "{}", "\"stop\"");
    snprintf(chunks[CHUNKS + 1], sizeof chunks[0], "e\r\ndata: [DONE]\n\n\r\n");
    snprintf(chunks[CHUNKS + 2], sizeof chunks[0], "0\r\n\r\n");
}

static int say(int fd, const char *text) {
    size_t left = strlen(text);
    while (left) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) { usleep(100); continue; }
            return -1;
        }
        text += sent;
        left -= (size_t)sent;
    }
    return 0;
}

static int flag(const char *body, size_t size, const char *name) { /* "name":true, with or without a space */
    const char *at = memmem(body, size, name, strlen(name));
    if (!at) return 0;
    at += strlen(name);
    while (at < body + size && (*at == ':' || *at == ' ')) at++;
    return at + 4 <= body + size && !memcmp(at, "true", 4);
}

static int answer(int fd, const char *head, const char *body, size_t size) {
    if (!memcmp(head, "GET", 3)) return say(fd, models);
    if (flag(body, size, "\"stream\"")) {
        if (say(fd, stream_head)) return -1;
        for (int i = 0; i < CHUNKS + 3; i++)
            if (say(fd, chunks[i])) return -1;
        return 0;
    }
    return say(fd, flag(body, size, "\"logprobs\"") ? with_logprobs : plain);
}

static int serve(int fd, Connection *it) {
    for (;;) {
        if (it->room - it->size < 4096) it->data = realloc(it->data, it->room = it->room * 2 + 8192);
        ssize_t got = recv(fd, it->data + it->size, it->room - it->size - 1, 0);
        if (got == 0) return -1;
        if (got < 0) return errno == EAGAIN ? 0 : -1;
        it->size += (size_t)got;
        for (;;) {
            it->data[it->size] = 0;
            char *end = memmem(it->data, it->size, "\r\n\r\n", 4);
            if (!end) break;
            size_t head = (size_t)(end - it->data) + 4, length = 0;
            char *line = strcasestr(it->data, "\r\ncontent-length:");
            if (line && line < end) length = strtoul(line + 17, NULL, 10);
            if (length > LARGEST) return -1;
            if (it->size < head + length) break;
            if (answer(fd, it->data, it->data + head, length)) return -1;
            it->size -= head + length;
            memmove(it->data, it->data + head + length, it->size);
        }
    }
}

static void forget(int fd) {
    if (connections[fd]) {
        free(connections[fd]->data);
        free(connections[fd]);
        connections[fd] = NULL;
    }
    close(fd);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    prepare();
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 4096) || getsockname(listening, (struct sockaddr *)&address, &size)) {
        perror("instant_upstream");
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poll = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listening}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listening, &wanted);
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listening) {
                if (serve(fd, connections[fd])) forget(fd);
                continue;
            }
            int client;
            while ((client = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                if (client >= MOST) { close(client); continue; }
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                connections[client] = calloc(1, sizeof(Connection));
                struct epoll_event one = {.events = EPOLLIN, .data.fd = client};
                epoll_ctl(poll, EPOLL_CTL_ADD, client, &one);
            }
        }
    }
}
