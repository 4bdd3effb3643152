import HTTPTypes
import JobModel

extension Area {
  /// What huggingface_hub and transformers ask for (huggingface.co/docs/hub/api).
  static let hub = Area(
    name: "Hub",
    description: "Finished jobs and models as repositories `jobs/{id}` and `models/{name}` for Hugging Face clients (`HF_ENDPOINT`).",
    operations: repository("jobs/{id}", "Job", .jobID, missing: [.repositoryNotFound])
      + repository("models/{name}", "Model", .path("name", "The model's name."), missing: [.repositoryNotFound]) + [
        Operation(
          method: .get, path: "/api/whoami-v2", id: "whoAmI", summary: "Whose token it is",
          answers: [.json(.anything, "The token's name, as the Hub has users.")])
      ])

  private static func repository(
    _ name: String, _ kind: String, _ parameter: Operation.Parameter, missing: [Problem.Code]
  ) -> [Operation] {
    let revision = Operation.Parameter.path("revision", "`main`, or the commit.")
    let unread: [Int: [Problem.Code]] = [410: [.artifactDamaged], 422: [.invalidModel]]
    func operation(
      _ path: String, _ id: String, _ summary: String, _ parameters: [Operation.Parameter], _ answers: [Operation.Answer],
      _ codes: [Problem.Code] = [], method: HTTPRequest.Method = .get, others: [Int: [Problem.Code]] = [:]
    ) -> Operation {
      Operation(
        method: method, path: path, id: id, summary: summary, parameters: [parameter] + parameters, answers: answers,
        errors: unread.merging([404: missing + codes]) { $1 }.merging(others) { $1 })
    }
    let info = [Operation.Answer.json(.anything, "`id`, `sha` and `siblings`.", headers: [.commit])]
    let tree = [Operation.Answer.json(.list(of: .anything), "Files, and folders unless `recursive`.", headers: [.commit])]
    return [
      operation("/api/models/\(name)", "get\(kind)Repository", "A repository", [.blobs], info),
      operation(
        "/api/models/\(name)/revision/{revision}", "get\(kind)Revision", "A repository at a revision", [revision, .blobs], info,
        [.revisionNotFound]),
      operation(
        "/api/models/\(name)/tree/{revision}", "list\(kind)Tree", "A repository's files with their hashes", [revision, .recursive], tree,
        [.revisionNotFound, .entryNotFound]),
      operation(
        "/api/models/\(name)/tree/{revision}/{path}", "list\(kind)Folder", "The files of a folder",
        [revision, .path("path", "A folder; jobs have none."), .recursive], kind == "Job" ? [] : tree, [.revisionNotFound, .entryNotFound]),
      operation(
        "/\(name)/resolve/{revision}/{path}", "download\(kind)File", "A file, or a range of it",
        [
          revision, .path("path", "The file's name."), .ifNoneMatch, .header("Range", "As for a job's artifacts."),
          .header("If-Range", "As for a job's artifacts."),
        ],
        [
          Operation.Answer(status: 200, description: "The file.", content: .files, headers: [.eTag, .commit]),
          Operation.Answer(status: 206, description: "The range.", content: .files, headers: [.eTag, .commit]), .notModified,
        ], [.revisionNotFound, .entryNotFound], others: [416: [.rangeNotSatisfiable]]),
    ]
  }
}

extension KeyValuePairs<String, Schema> {
  fileprivate static var files: Self {
    ["application/octet-stream": .anything, "application/json": .anything, "text/plain": .anything]
  }
}

extension Operation.Parameter {
  fileprivate static let blobs = query("blobs", "`true`: sizes and hashes too.")
  fileprivate static let recursive = query("recursive", "`true`: files of all folders.")
}

extension Operation.Header {
  fileprivate static let commit = Operation.Header(
    name: "X-Repo-Commit", schema: .text(pattern: "^[0-9a-f]{40}$"), description: "The revision's commit.")
}
