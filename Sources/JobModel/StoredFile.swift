import Foundation

/// How far an upload has come that isn't finished.
public struct UploadProgress: Codable, Sendable, Hashable {
  /// Bytes; the next one to send is the one after these.
  public let received: Int
  /// Bytes of the whole; nil: not known.
  public let size: Int?
  /// As the client promised it.
  public let sha256: String?
  /// When the last bytes came.
  public let at: Date

  public init(received: Int, size: Int?, sha256: String?, at: Date) {
    (self.received, self.size, self.sha256, self.at) = (received, size, sha256, at)
  }
}

/// Where a model or a dataset is from.
public enum StoredSource: String, Codable, Sendable {
  case uploaded
  /// Found in `models.roots` or `datasets.roots`.
  case root
}

/// A file of a model.
public struct StoredFile: Codable, Sendable, Hashable {
  public let path: String
  /// Bytes; nil while the first upload isn't finished.
  public let size: Int?
  /// nil for a file that wasn't uploaded.
  public let sha256: String?
  public let uploadedAt: Date?
  /// Of a first or a new version.
  public let upload: UploadProgress?

  public init(path: String, size: Int?, sha256: String?, uploadedAt: Date?, upload: UploadProgress?) {
    (self.path, self.size, self.sha256, self.uploadedAt, self.upload) = (path, size, sha256, uploadedAt, upload)
  }
}

/// A model that a job can name.
public struct StoredModel: Codable, Sendable, Hashable {
  public let name: String
  public let source: StoredSource
  /// Whether `DELETE` can remove it.
  public let deletable: Bool
  /// Bytes of its files.
  public let size: Int
  public let fileCount: Int
  /// Files whose upload isn't finished.
  public let unfinished: Int
  /// nil in lists.
  public let files: [StoredFile]?

  public init(name: String, source: StoredSource, files: [StoredFile], listsFiles: Bool) {
    (self.name, self.source, self.deletable) = (name, source, source == .uploaded)
    size = files.reduce(0) { $0 + ($1.size ?? 0) }
    fileCount = files.count
    unfinished = files.count { $0.upload != nil }
    self.files = listsFiles ? files : nil
  }
}

/// A dataset that a job can name.
public struct StoredDataset: Codable, Sendable, Hashable {
  public let name: String
  public let source: StoredSource
  /// Whether `DELETE` can remove it.
  public let deletable: Bool
  /// Bytes; nil while the first upload isn't finished.
  public let size: Int?
  /// nil for one that wasn't uploaded.
  public let sha256: String?
  public let rows: Int?
  public let uploadedAt: Date?
  /// Of a first or a new version.
  public let upload: UploadProgress?

  public init(
    name: String, source: StoredSource, size: Int?, sha256: String? = nil, rows: Int? = nil, uploadedAt: Date? = nil,
    upload: UploadProgress? = nil
  ) {
    (self.name, self.source, self.deletable) = (name, source, source == .uploaded)
    (self.size, self.sha256, self.rows, self.uploadedAt, self.upload) = (size, sha256, rows, uploadedAt, upload)
  }
}
