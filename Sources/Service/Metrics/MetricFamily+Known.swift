/// Every family that `GET /metrics` has.
extension MetricFamily {
  static let buildInfo = MetricFamily(.gauge, "gptqd_build_info", labels: ["version", "blas_core"], "1; its labels tell what runs.")

  static let jobs = MetricFamily(.gauge, "gptqd_jobs", labels: ["status"], "Jobs that are stored, by status.")
  static let runningJobs = MetricFamily(.gauge, "gptqd_running_jobs", labels: ["stage"], "Jobs that run, by what they are doing.")
  static let jobsSubmitted = MetricFamily(.counter, "gptqd_jobs_submitted_total", "Jobs that were accepted, deleted ones included.")
  static let jobTransitions = MetricFamily(
    .counter, "gptqd_job_transitions_total", labels: ["status"], "How often jobs came into a status, deleted jobs included.")
  static let queueLength = MetricFamily(.gauge, "gptqd_queue_length", "Jobs that wait for a worker.")
  static let queueLimit = MetricFamily(.gauge, "gptqd_queue_limit", "Jobs that may wait (jobs.max_queued).")
  static let queueAge = MetricFamily(
    .gauge, "gptqd_queue_oldest_age_seconds", "How long the job that waits longest has waited; 0 where none does.")

  static let layerSeconds = MetricFamily(
    .histogram, "gptqd_layer_duration_seconds", labels: ["kind", "stage"],
    "Wall time of finished layers' own work, by kind of module and by step of the block.")
  static let layerDamping = MetricFamily(
    .histogram, "gptqd_layer_damping_ratio", "Damping that finished layers were quantized with, as a fraction of the mean diagonal.")
  static let attempts = MetricFamily(
    .counter, "gptqd_attempts_total", labels: ["cause", "outcome"], "Tries at layers, by what was wrong with the Hessian.")
  static let calibrationTokens = MetricFamily(
    .counter, "gptqd_calibration_tokens_total", "Calibration tokens that entered the Hessians of jobs that succeeded.")

  static let clusterSubmissions = MetricFamily(
    .counter, "gptqd_cluster_submissions_total", "Attempts at jobs that Slurm took, lost ones that it took again included.")
  static let clusterRequeues = MetricFamily(
    .counter, "gptqd_cluster_requeues_total", "Attempts that were lost, so that their jobs were queued again.")
  static let fencedAttempts = MetricFamily(
    .counter, "gptqd_cluster_fenced_attempts_total", "Attempts of which nothing counts any more, whatever they still do.")

  static let workers = MetricFamily(.gauge, "gptqd_workers", "Jobs that may run at once (compute.workers; slurm.max_jobs).")
  static let busyWorkers = MetricFamily(.gauge, "gptqd_workers_busy", "Jobs that run.")
  static let threads = MetricFamily(.gauge, "gptqd_threads", "Cores that all jobs may use together (compute.threads).")
  static let busyThreads = MetricFamily(.gauge, "gptqd_threads_busy", "Cores that belong to the jobs that run.")
  static let memoryLimit = MetricFamily(
    .gauge, "gptqd_memory_limit_bytes", "Memory that all jobs may have together (compute.memory_limit).")
  static let memoryReserved = MetricFamily(.gauge, "gptqd_memory_reserved_bytes", "Memory that the jobs that run were planned with.")

  static let requests = MetricFamily(
    .counter, "gptqd_http_requests_total", labels: ["route", "method", "status"], "Requests that a route or its checks answered.")
  static let requestSeconds = MetricFamily(
    .histogram, "gptqd_http_request_duration_seconds", labels: ["route", "method"],
    "Time until the answer begins, a wait that the request asked for included.")
  static let refusedRequests = MetricFamily(
    .counter, "gptqd_http_refused_requests_total", labels: ["status"],
    "Requests that were refused before a route was looked for, since they break rules of HTTP or limits.")
  static let connections = MetricFamily(.counter, "gptqd_http_connections_total", "Connections that were accepted.")
  static let openConnections = MetricFamily(.gauge, "gptqd_http_open_connections", "Connections that are open.")
  static let connectionLimit = MetricFamily(.gauge, "gptqd_http_open_connections_limit", "Connections that may be open at once.")
  static let bufferedBytes = MetricFamily(.gauge, "gptqd_http_buffered_bytes", "Memory that large bodies and answers take.")
  static let bufferedLimit = MetricFamily(.gauge, "gptqd_http_buffered_limit_bytes", "Memory that large bodies and answers may take.")

  static let storeUp = MetricFamily(.gauge, "gptqd_sqlite_up", "1 if the database could be read for this answer, else 0.")
  static let databaseBytes = MetricFamily(.gauge, "gptqd_sqlite_file_bytes", "Size of the database file.")
  static let walBytes = MetricFamily(.gauge, "gptqd_sqlite_wal_bytes", "Size of the database's write-ahead log.")
  static let transactionSeconds = MetricFamily(
    .histogram, "gptqd_sqlite_transaction_duration_seconds", labels: ["kind"],
    "Time of transactions, the wait for their turn and for the disk included.")

  static let dataBytes = MetricFamily(
    .gauge, "gptqd_data_bytes", labels: ["kind"], "Size of what is in the data folder, measured at most twice a minute.")
  static let diskFree = MetricFamily(.gauge, "gptqd_disk_free_bytes", "Room on the data folder's disk that the daemon may use.")
  static let diskSize = MetricFamily(.gauge, "gptqd_disk_size_bytes", "Size of the data folder's disk.")

  // These names are the same in every Prometheus client.
  static let processCPU = MetricFamily(.counter, "process_cpu_seconds_total", "Processor time of the daemon, in all its threads.")
  static let processMemory = MetricFamily(.gauge, "process_resident_memory_bytes", "Memory of the daemon that is resident.")
  static let processVirtualMemory = MetricFamily(.gauge, "process_virtual_memory_bytes", "Addresses that the daemon has mapped.")
  static let processDescriptors = MetricFamily(.gauge, "process_open_fds", "Files and sockets that the daemon has open.")
  static let processDescriptorLimit = MetricFamily(.gauge, "process_max_fds", "Files and sockets that the daemon may have open.")
  static let processStart = MetricFamily(.gauge, "process_start_time_seconds", "When the daemon started, since 1970 in UTC.")
}
