/// The files of a finished checkpoint.
public struct ArtifactManifest: Codable, Sendable, Hashable {
  public struct File: Codable, Sendable, Hashable {
    /// Relative to the artifact, no folders.
    public let path: String
    /// Bytes.
    public let size: Int
    /// Lower-case hexadecimal.
    public let sha256: String

    public init(path: String, size: Int, sha256: String) {
      self.path = path
      self.size = size
      self.sha256 = sha256
    }
  }

  /// `jobs/<id>`.
  public let repo: String
  /// 40 hexadecimal digits that depend on the paths and contents of the files only.
  public let revision: String
  /// Sorted by path.
  public let files: [File]

  public init(repo: String, revision: String, files: [File]) {
    self.repo = repo
    self.revision = revision
    self.files = files
  }
}
