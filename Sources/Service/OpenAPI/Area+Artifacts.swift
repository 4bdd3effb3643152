import HTTPTypes
import JobModel

extension Area {
  static let artifacts = Area(
    name: "Artifacts", description: "The checkpoints of finished jobs.",
    operations: [
      list, download(.get), download(.head),
    ],
    schemas: ["Manifest": manifest, "File": file])

  private static let list = Operation(
    method: .get, path: "/v1/jobs/{id}/artifacts", id: "listFiles", summary: "A finished job's files", parameters: [.jobID],
    answers: [.json(.reference("Manifest"), "The files with their hashes.", links: .ofFiles)],
    errors: [404: [.jobNotFound, .artifactNotFound]])

  private static func download(_ method: HTTPRequest.Method) -> Operation {
    let content: KeyValuePairs<String, Schema> = [
      "application/octet-stream": .anything, "application/json": .anything, "text/plain": .anything,
    ]
    let headers = [Operation.Header.eTag, .acceptRanges]
    let whole = Operation.Answer(status: 200, description: "The whole file. Its `ETag` is its SHA-256.", content: content, headers: headers)
    let part = Operation.Answer(
      status: 206, description: "The range.", content: content,
      headers: headers + [
        Operation.Header(name: "Content-Range", schema: .text(pattern: #"^bytes \d+-\d+/\d+$"#), description: "Which bytes of how many.")
      ])
    let parameters = [Operation.Parameter.jobID, .path("path", "The file's name, as in the manifest.")]
    guard method == .get else {
      return Operation(
        method: method, path: "/v1/jobs/{id}/artifacts/{path}", id: "inspectFile", summary: "A file's size and hash",
        parameters: parameters + [.ifNoneMatch],
        answers: [Operation.Answer(status: 200, description: "As for GET, without the file.", headers: headers), .notModified],
        errors: [404: [.jobNotFound, .artifactNotFound], 410: [.artifactDamaged]])
    }
    return Operation(
      method: method, path: "/v1/jobs/{id}/artifacts/{path}", id: "downloadFile", summary: "A file, or a range of it",
      description: """
        One range of bytes, a suffix (`bytes=-100`) too; several, or what isn't a range, get the whole file. Its bytes are compared with the \
        manifest's hash while they are sent: the connection ends before the last ones where they differ.
        """,
      parameters: parameters + [
        .ifNoneMatch, .header("Range", "Such as `bytes=0-99`, `bytes=100-` or `bytes=-100`."),
        .header("If-Range", "An `ETag`: the range only if it is still right, else the whole file."),
      ],
      answers: [whole, part, .notModified],
      errors: [404: [.jobNotFound, .artifactNotFound], 410: [.artifactDamaged], 416: [.rangeNotSatisfiable]])
  }

  private static let file = Schema.object([
    .required("path", .text(pattern: "^[^/]+$"), "Name; there are no folders."), .required("size", .count, "Bytes."),
    .required("sha256", .sha256),
  ])

  static let manifest = Schema.object([
    .required("repo", .text(pattern: "^jobs/"), "The checkpoint as a repository of the Hub protocol."),
    .required("revision", .text(pattern: "^[0-9a-f]{40}$"), "Depends on the files' names and contents only."),
    .required("files", .list(of: .reference("File")), "By name."),
  ])
}

extension Operation.Header {
  fileprivate static let acceptRanges = Operation.Header(
    name: "Accept-Ranges", schema: .constant("bytes"), description: "Ranges of bytes are served.")
}

extension [Operation.Link] {
  fileprivate static let ofFiles = ["downloadFile", "inspectFile"].map {
    Operation.Link(name: $0, operation: $0, parameters: ["id": "$request.path.id", "path": "$response.body#/files/0/path"])
  }
}
