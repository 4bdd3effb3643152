import Foundation
import JobModel

/// Checks a request against the files that it names, before a job is made of it.
public protocol JobPlanner: Sendable {
  /// Called on a thread that may block.
  ///
  /// - Throws: `Problem` for what the client can mend.
  func plan(_ request: JobRequest, files: JobFiles) throws -> JobPlan

  /// Checks what the model's config.json tells alone, where the rest isn't there yet.
  ///
  /// - Throws: `Problem` for what the client can mend.
  func check(_ request: JobRequest, configuration: [UInt8]) throws
}

/// The files that a request names.
public struct JobFiles: Sendable, Hashable {
  /// Folder in Hugging Face layout; for `kind: "layers"`, a `.safetensors` file.
  public let model: URL
  public let calibration: URL?
  public let evaluation: URL?
}

/// What a job will do.
public struct JobPlan: Sendable {
  public let layers: [LayerRecord]
  public let warnings: [String]
  /// nil: not known.
  public let estimate: Job.Estimate?

  public init(layers: [LayerRecord], warnings: [String], estimate: Job.Estimate? = nil) {
    self.layers = layers
    self.warnings = warnings
    self.estimate = estimate
  }
}
