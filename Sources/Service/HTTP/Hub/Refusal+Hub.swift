import HTTPTypes
import Hummingbird
import JobModel

extension HTTPField.Name {
  private static func custom(_ name: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(name) else { preconditionFailure("not a field name: \(name)") }
    return name
  }

  static let xRepoCommit = custom("X-Repo-Commit")
  static let xErrorCode = custom("X-Error-Code")
  static let xErrorMessage = custom("X-Error-Message")
}

/// What Hub clients choose their exceptions by.
enum HubErrorCode: String {
  case repository = "RepoNotFound"
  case revision = "RevisionNotFound"
  case entry = "EntryNotFound"
}

extension Refusal {
  static func noRepository(_ detail: String) -> Refusal {
    hub(.repository, .repositoryNotFound, title: "There is no such repository", detail)
  }

  static func noRevision(_ revision: String, of repository: any HubRepository) -> Refusal {
    hub(
      .revision, .revisionNotFound, title: "The repository has no such revision",
      "\(repository.id) has the revisions main and \(repository.commit), not \(revision.prefix(80))")
  }

  static func noEntry(_ path: String, of repository: any HubRepository) -> Refusal {
    hub(
      .entry, .entryNotFound, title: "The repository has no such file", "\(repository.id) has no \(path.prefix(200))",
      commit: repository.commit)
  }

  private static func hub(_ code: HubErrorCode, _ problem: Problem.Code, title: String, _ detail: String, commit: String? = nil) -> Refusal
  {
    var headers: HTTPFields = [.xErrorCode: code.rawValue]
    headers[.xRepoCommit] = commit
    return Refusal(Problem(problem, status: 404, title: title, detail: detail), headers: headers)
  }
}

/// What errors say to Hub clients, which look at header fields only.
enum HubErrors {
  /// Fields for an answer with a problem; none for a path that isn't the Hub's.
  static func fields(for problem: Problem, at path: String, hasAuthorization: Bool) -> HTTPFields {
    guard isHub(path) else { return [:] }
    var fields: HTTPFields = [.xErrorMessage: text(problem.detail)]
    switch problem.status {
    case 401 where hasAuthorization: fields[.xErrorMessage] = "Invalid credentials in Authorization header"
    case 401 where isRepository(path): fields[.xErrorCode] = HubErrorCode.repository.rawValue
    case 404:
      fields[.xErrorCode] = HubErrorCode.repository.rawValue
      if problem.code == .routeNotFound { fields[.xErrorMessage] = "the repositories of this server are jobs/ID and models/NAME" }
    default: break
    }
    return fields
  }

  private static func isHub(_ path: String) -> Bool { path.hasPrefix("/api/") || isRepository(path) }

  /// Repositories of other kinds, such as `datasets/owner/name`, aren't here, but clients ask for them.
  private static func isRepository(_ path: String) -> Bool {
    let segments = path.split(separator: "/")
    if segments.first == "api" { return ["models", "datasets", "spaces"].contains(segments.dropFirst().first) }
    return segments.first != "v1" && segments.dropFirst().prefix(3).contains("resolve")
  }

  /// As a field's value can have it.
  private static func text(_ detail: String) -> String {
    String(decoding: detail.utf8.prefix(500).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}
