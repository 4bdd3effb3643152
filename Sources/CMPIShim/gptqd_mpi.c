#define _GNU_SOURCE
#include "gptqd_mpi.h"

#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_DATA = 1, TAG_ABANDON = 2 };

// Counts of MPI are ints.
static const size_t piece = (size_t)1 << 29;
// Exchanges that were begun before another rank gave up may still be completed by the rest.
static const double grace_seconds = 5;

static MPI_Comm group = MPI_COMM_NULL;
static int own, ranks = 1;
static int abandoned_by = -1;
static char reason_of_abandonment[1024];

int gptqd_mpi_start(void) {
  int provided;
  int status = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
  if (status) return status;
  if (provided < MPI_THREAD_SERIALIZED) return MPI_ERR_OTHER;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if ((status = MPI_Comm_dup(MPI_COMM_WORLD, &group))) return status;
  MPI_Comm_set_errhandler(group, MPI_ERRORS_RETURN);
  if ((status = MPI_Comm_rank(group, &own))) return status;
  return MPI_Comm_size(group, &ranks);
}

int gptqd_mpi_rank(void) { return own; }

int gptqd_mpi_count(void) { return ranks; }

static size_t pieces(size_t size) { return (size + piece - 1) / piece; }

static size_t length(size_t size, size_t index) { return index + 1 < pieces(size) ? piece : size - index * piece; }

static int look_for_abandonment(void) {
  int found = 0;
  MPI_Status message;
  int status = MPI_Iprobe(MPI_ANY_SOURCE, TAG_ABANDON, group, &found, &message);
  if (status || !found) return status;
  char text[sizeof reason_of_abandonment];
  int count = 0;
  MPI_Get_count(&message, MPI_CHAR, &count);
  if (count < 0 || count > (int)sizeof text) return MPI_ERR_TRUNCATE;
  if ((status = MPI_Recv(text, count, MPI_CHAR, message.MPI_SOURCE, TAG_ABANDON, group, MPI_STATUS_IGNORE))) return status;
  // The first one knows why; those after it only know of it.
  if (abandoned_by >= 0) return 0;
  abandoned_by = message.MPI_SOURCE;
  memcpy(reason_of_abandonment, text, (size_t)count);
  reason_of_abandonment[sizeof reason_of_abandonment - 1] = 0;
  return 0;
}

// Waits without taking a core from those that compute.
static int wait_for(MPI_Request *requests, int count) {
  double abandoned_at = 0;
  for (unsigned tries = 0;; tries++) {
    int done = 0;
    int status = MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
    if (status || done) return status;
    if (abandoned_by < 0 && (status = look_for_abandonment())) return status;
    if (abandoned_by >= 0) {
      if (abandoned_at == 0) abandoned_at = MPI_Wtime();
      if (MPI_Wtime() - abandoned_at > grace_seconds) return GPTQD_MPI_ABANDONED;
    }
    if (tries < 1000) {
      sched_yield();
    } else {
      nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
  }
}

static void cancel(MPI_Request *requests, int count) {
  for (int i = 0; i < count; i++) {
    if (requests[i] == MPI_REQUEST_NULL) continue;
    MPI_Cancel(&requests[i]);
    MPI_Request_free(&requests[i]);
  }
}

int gptqd_mpi_exchange(const void *const *sent, const size_t *sent_sizes, void *const *received, const size_t *received_sizes) {
  int status = look_for_abandonment();
  if (status) return status;
  if (abandoned_by >= 0) return GPTQD_MPI_ABANDONED;
  size_t total = 0;
  for (int rank = 0; rank < ranks; rank++) {
    if (rank != own) total += pieces(sent_sizes[rank]) + pieces(received_sizes[rank]);
  }
  MPI_Request *requests = malloc((total + 1) * sizeof *requests);
  if (!requests) return MPI_ERR_NO_MEM;
  int count = 0;
  for (int step = 1; step < ranks && !status; step++) {
    int from = (own + ranks - step) % ranks;
    for (size_t i = 0; i < pieces(received_sizes[from]) && !status; i++) {
      status = MPI_Irecv(
          (char *)received[from] + i * piece, (int)length(received_sizes[from], i), MPI_BYTE, from, TAG_DATA, group, &requests[count]);
      count += !status;
    }
  }
  for (int step = 1; step < ranks && !status; step++) {
    int to = (own + step) % ranks;
    for (size_t i = 0; i < pieces(sent_sizes[to]) && !status; i++) {
      status = MPI_Isend(
          (const char *)sent[to] + i * piece, (int)length(sent_sizes[to], i), MPI_BYTE, to, TAG_DATA, group, &requests[count]);
      count += !status;
    }
  }
  if (!status) status = wait_for(requests, count);
  if (status) cancel(requests, count);
  free(requests);
  return status;
}

void gptqd_mpi_abandon(const char *reason) {
  if (group == MPI_COMM_NULL || ranks == 1) return;
  int count = (int)strnlen(reason, sizeof reason_of_abandonment - 1) + 1;
  MPI_Request *requests = malloc((size_t)ranks * sizeof *requests);
  if (!requests) return;
  int sent = 0;
  for (int rank = 0; rank < ranks; rank++) {
    if (rank != own && !MPI_Isend(reason, count, MPI_CHAR, rank, TAG_ABANDON, group, &requests[sent])) sent++;
  }
  // Small messages are soon on their way, whether or not the others look for them.
  double start = MPI_Wtime();
  for (int done = 0; !done && MPI_Wtime() - start < grace_seconds; sched_yield()) {
    if (MPI_Testall(sent, requests, &done, MPI_STATUSES_IGNORE)) break;
  }
  free(requests);
}

const char *gptqd_mpi_abandonment(int *rank) {
  *rank = abandoned_by;
  return reason_of_abandonment;
}

void gptqd_mpi_message(int status, char *text, int capacity) {
  char message[MPI_MAX_ERROR_STRING];
  int count = 0;
  if (MPI_Error_string(status, message, &count)) count = 0;
  if (count >= capacity) count = capacity - 1;
  memcpy(text, message, (size_t)count);
  text[count] = 0;
}

int gptqd_mpi_finish(void) { return MPI_Finalize(); }

void gptqd_mpi_end_all(int status) { MPI_Abort(MPI_COMM_WORLD, status); }
