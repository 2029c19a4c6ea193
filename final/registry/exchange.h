/* exchange.h - one request while it runs over libcurl; what http.c and the one who explains its
 * failures share. */
#pragma once

#include <curl/curl.h>

#include "registry/http.h"

struct exchange {
    struct http *http;
    CURL *curl;
    const struct http_request *request;
    struct http_answer *answer;
    struct err *err;
    int stopped; /* the negative result of whoever stopped it; its message is in err */
    bool enough; /* stopped because nothing more is of interest: a success */
    size_t header_bytes;
    uint64_t body_bytes;
    uint64_t sent; /* of the request's body */
    char reason[CURL_ERROR_SIZE];
};

/* Sets the error for a transfer that libcurl ended with `code`, or that one of our callbacks
 * stopped. */
int exchange_explain(struct exchange *x, CURLcode code);
