import JobStore

/// What a client may ask of the server, and how slow it may be.
public struct HTTPLimits: Sendable, Hashable {
  /// Bytes of a request's target, names and values of its header fields together.
  public var headerBytes = 32 << 10
  /// Bytes of a JSON request body.
  public var bodyBytes = 8 << 20
  /// Bytes of a file that is uploaded in one request.
  var uploadBytes = UploadLimits().fileBytes
  /// Connections at once; more wait in the system's queue until one ends.
  public var connections = 2048
  /// Time without a byte between requests or within a body, and for a request's head from its first byte.
  public var idleTimeout = Duration.seconds(60)
  /// Least rate of a request's body while the server waits for it; 0: any.
  public var uploadBytesPerSecond = 1024
  /// Least rate at which an answer is taken; 0: any.
  public var downloadBytesPerSecond = 1024

  /// Over which uploads are judged.
  package var uploadWindow = Duration.seconds(10)
  /// Over which downloads are judged: TCP passes them on in steps, of 64 KiB and more, which are rare with a slow reader.
  package var downloadWindow = Duration.seconds(60)

  public init() {}

  init(_ values: ConfigurationValues) throws(ConfigurationError) {
    headerBytes = try values.integer(.maxHeaderBytes, in: 1024...(1 << 20)) ?? headerBytes
    bodyBytes = try values.integer(.maxBodyBytes, in: 1024...(1 << 30)) ?? bodyBytes
    connections = try values.integer(.maxConnections, in: 1...1_000_000) ?? connections
    idleTimeout = try values.integer(.idleTimeoutSeconds, in: 1...86_400).map { .seconds($0) } ?? idleTimeout
    uploadBytesPerSecond = try values.integer(.minUploadBytesPerSecond, in: 0...(1 << 30)) ?? uploadBytesPerSecond
    downloadBytesPerSecond = try values.integer(.minDownloadBytesPerSecond, in: 0...(1 << 30)) ?? downloadBytesPerSecond
  }
}
