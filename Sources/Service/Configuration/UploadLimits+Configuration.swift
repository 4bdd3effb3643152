import JobStore

extension UploadLimits {
  init(_ values: ConfigurationValues) throws(ConfigurationError) {
    self.init()
    fileBytes = try values.bytes(.maxUploadBytes) ?? fileBytes
    concurrent = try values.integer(.maxUploads, in: 1...1000) ?? concurrent
    models = try values.integer(.maxUploadedModels, in: 1...1_000_000) ?? models
    files = try values.integer(.maxUploadedFiles, in: 1...10_000) ?? files
    datasets = try values.integer(.maxUploadedDatasets, in: 1...1_000_000) ?? datasets
    resumption = try values.integer(.uploadResumeHours, in: 1...8760).map { .seconds($0 * 3600) } ?? resumption
  }
}
