#pragma once
#include <stddef.h>

// The few functions of MPI that ranks of a job need, behind plain C so that the program can load them at run time (Sources/Ranks).
// Statuses: 0, GPTQD_MPI_ABANDONED, or an error code of MPI. One thread at a time.

#define GPTQD_MPI_ABANDONED (-1)

int gptqd_mpi_start(void);
int gptqd_mpi_rank(void);
int gptqd_mpi_count(void);
/// Gives every other rank its part, and gets theirs; arrays of one element a rank. The own elements aren't looked at.
int gptqd_mpi_exchange(const void *const *sent, const size_t *sent_sizes, void *const *received, const size_t *received_sizes);
/// Tells the other ranks that this one takes part in no exchange any more.
void gptqd_mpi_abandon(const char *reason);
/// Why an exchange returned GPTQD_MPI_ABANDONED.
const char *gptqd_mpi_abandonment(int *rank);
void gptqd_mpi_message(int status, char *text, int capacity);
int gptqd_mpi_finish(void);
/// Ends all ranks' processes.
void gptqd_mpi_end_all(int status);
