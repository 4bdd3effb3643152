import JobModel

/// A commit of a repository, and which of its files a job needs.
struct HubSnapshot: Sendable, Hashable {
  /// With its commit.
  let reference: HubReference
  let files: [ListedFile]
  /// The bytes of config.json.
  let configuration: [UInt8]

  var bytes: Int { files.reduce(0) { $0 + $1.size } }

  /// Bytes of all files together.
  private static let sizeLimit = 1 << 47
  private static let configurationLimit = 8 << 20

  /// Asks the Hub; takes as many requests as there are small files to be read first, three at most.
  ///
  /// - Parameter timeout: For all of them.
  /// - Throws: `HubError`.
  init(_ reference: HubReference, from client: HubClient, timeout: Duration, isCancelled: @escaping () -> Bool) throws {
    let end = ContinuousClock.now + timeout
    let connection = try HubError.translating { try OutgoingConnection() }
    func get(_ path: String, _ file: String?, limit: Int) throws -> HubMemoryBody {
      let body = HubMemoryBody(limit: limit, name: file ?? "the listing")
      try client.get(
        path, .init(reference: reference, file: file), timeout: max(.milliseconds(1), end - .now), over: connection,
        isCancelled: isCancelled, into: body)
      return body
    }
    func bytes(_ file: ListedFile, _ commit: String, limit: Int) throws -> [UInt8] {
      guard file.size <= limit else { throw HubError.unusable("\(file.name) has \(file.size) bytes; \(limit) are possible") }
      let bytes = try get(Self.path(file, commit, reference), file.name, limit: file.size).bytes
      try file.verify(bytes)
      return bytes
    }
    let listing = try HubListing(get(Self.listingPath(reference), nil, limit: HubListing.sizeLimit), of: reference)
    configuration = try bytes(listing.configurationFile(), listing.commit, limit: Self.configurationLimit)
    files = try listing.neededFiles(index: listing.indexFile().map { try bytes($0, listing.commit, limit: .max) })
    self.reference = HubReference(hub: reference.hub, revision: reference.revision, commit: listing.commit)
    var sum = 0
    for file in files {
      sum += file.size
      guard sum <= Self.sizeLimit else { throw HubError.malformed("the files have more than \(Self.sizeLimit) bytes") }
    }
  }

  private static func listingPath(_ reference: HubReference) -> String {
    let revision = (reference.commit ?? reference.revision).replacing("/", with: "%2F")
    return "/api/models/\(reference.hub)/revision/\(revision)?blobs=true"
  }

  private static func path(_ file: ListedFile, _ commit: String, _ reference: HubReference) -> String {
    "/\(reference.hub)/resolve/\(commit)/\(file.name)"
  }

  func path(of file: ListedFile) -> String { Self.path(file, reference.commit ?? reference.revision, reference) }
}
