/// An error as the API renders it: RFC 9457, `application/problem+json`.
public struct Problem: Error, Codable, Hashable, Sendable, CustomStringConvertible {
  /// One wrong field of a request.
  public struct FieldError: Codable, Hashable, Sendable {
    /// JSON pointer (RFC 6901) into the request body; "" is the whole.
    public let pointer: String
    public let detail: String

    public init(pointer: String, detail: String) {
      self.pointer = pointer
      self.detail = detail
    }
  }

  /// Stable names that clients can test for.
  public enum Code: String, Codable, Sendable, CaseIterable {
    case invalidJSON = "invalid_json"
    case invalidRequest = "invalid_request"
    case invalidModel = "invalid_model"
    case invalidDataset = "invalid_dataset"
    case jobNotFound = "job_not_found"
    case layerNotFound = "layer_not_found"
    case artifactNotFound = "artifact_not_found"
    case webhookNotFound = "webhook_not_found"
    case artifactDamaged = "artifact_damaged"
    case repositoryNotFound = "repository_not_found"
    case revisionNotFound = "revision_not_found"
    case entryNotFound = "entry_not_found"
    case routeNotFound = "route_not_found"
    case methodNotAllowed = "method_not_allowed"
    case conflict
    case inUse = "in_use"
    case modelNotFound = "model_not_found"
    case datasetNotFound = "dataset_not_found"
    case uploadInProgress = "upload_in_progress"
    case uploadUnfinished = "upload_unfinished"
    case uploadOffset = "upload_offset"
    case digestMismatch = "digest_mismatch"
    case tooManyUploads = "too_many_uploads"
    case idempotencyMismatch = "idempotency_mismatch"
    case bodyTooLarge = "body_too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case rangeNotSatisfiable = "range_not_satisfiable"
    case unauthorized
    case forbidden
    case misdirectedRequest = "misdirected_request"
    case tooManyRequests = "too_many_requests"
    case tooManyJobs = "too_many_jobs"
    case requestTimeout = "request_timeout"
    case expectationFailed = "expectation_failed"
    case headerTooLarge = "header_too_large"
    case memoryLimit = "memory_limit"
    case insufficientStorage = "insufficient_storage"
    case unavailable
    case `internal`
  }

  public let type: String
  public let title: String
  /// HTTP status code.
  public let status: Int
  public let detail: String
  /// Path of the request that failed.
  public var instance: String?
  public let code: Code
  public let errors: [FieldError]?

  public init(_ code: Code, status: Int, title: String, detail: String, errors: [FieldError]? = nil) {
    self.type = "about:blank#" + code.rawValue
    self.title = title
    self.status = status
    self.detail = detail
    self.code = code
    self.errors = errors
  }

  public static func invalidRequest(_ errors: [FieldError]) -> Problem {
    Problem(
      .invalidRequest, status: 422, title: "The request has fields that can't be used",
      detail: errors.map { "\($0.pointer.isEmpty ? "the body" : $0.pointer) \($0.detail)" }.joined(separator: "; "), errors: errors)
  }

  /// - Parameter pointer: Of the field of a job's request that names the model.
  public static func invalidModel(_ detail: String, at pointer: String = "/model") -> Problem {
    Problem(
      .invalidModel, status: 422, title: "The job names something that can't be used", detail: detail,
      errors: [.init(pointer: pointer, detail: detail)])
  }

  public var description: String { detail.isEmpty ? title : "\(title): \(detail)" }
}
