/// The keys of the configuration; each is also an environment variable, `http.listen` → `GPTQD_HTTP_LISTEN`.
package enum ConfigurationKey: String, CaseIterable {
  case listen = "http.listen"
  case allowRemote = "http.allow_remote"
  case maxBodyBytes = "http.max_body_bytes"
  case idleTimeoutSeconds = "http.idle_timeout_seconds"
  case dataFolder = "data.folder"
  case modelRoots = "models.roots"
  case datasetRoots = "datasets.roots"
  case threads = "compute.threads"
  case workers = "compute.workers"
  case memoryLimit = "compute.memory_limit"
  case maxShardBytes = "artifact.max_shard_bytes"
  case graceSeconds = "shutdown.grace_seconds"
  case logLevel = "log.level"
  case logFormat = "log.format"
}
