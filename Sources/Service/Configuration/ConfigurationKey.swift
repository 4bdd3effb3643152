/// The keys of the configuration; each is also an environment variable, `http.listen` → `GPTQD_HTTP_LISTEN`.
package enum ConfigurationKey: String, CaseIterable {
  case listen = "http.listen"
  case maxHeaderBytes = "http.max_header_bytes"
  case maxBodyBytes = "http.max_body_bytes"
  case maxConnections = "http.max_connections"
  case idleTimeoutSeconds = "http.idle_timeout_seconds"
  case minUploadBytesPerSecond = "http.min_upload_bytes_per_second"
  case minDownloadBytesPerSecond = "http.min_download_bytes_per_second"
  case tokens = "auth.tokens"
  case failuresPerMinute = "auth.failures_per_minute"
  case dataFolder = "data.folder"
  case modelRoots = "models.roots"
  case datasetRoots = "datasets.roots"
  case maxUploadBytes = "uploads.max_file_bytes"
  case maxUploads = "uploads.max_concurrent"
  case maxUploadedModels = "uploads.max_models"
  case maxUploadedFiles = "uploads.max_files"
  case maxUploadedDatasets = "uploads.max_datasets"
  case uploadResumeHours = "uploads.resume_hours"
  case hubEndpoint = "hub.endpoint"
  case hubToken = "hub.token"
  case parallelDownloads = "hub.parallel_downloads"
  case threads = "compute.threads"
  case workers = "compute.workers"
  case memoryLimit = "compute.memory_limit"
  case maxQueuedJobs = "jobs.max_queued"
  case allowedWebhookHosts = "webhooks.allowed_hosts"
  case maxShardBytes = "artifact.max_shard_bytes"
  case verifyHours = "artifact.verify_hours"
  case retentionDays = "retention.days"
  case maxDataBytes = "retention.max_data_bytes"
  case graceSeconds = "shutdown.grace_seconds"
  case logLevel = "log.level"
  case logFormat = "log.format"

  /// What a list of values holds, for keys that take one; nil: a single value.
  var listContent: String? {
    switch self {
    case .modelRoots, .datasetRoots: "folders"
    case .tokens: "tokens, each NAME:SCOPE:SHA256"
    case .allowedWebhookHosts: "hosts"
    default: nil
    }
  }
}
