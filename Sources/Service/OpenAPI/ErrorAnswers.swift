import HTTPTypes
import JobModel
import StrictJSON

/// Errors in the document: problem documents (RFC 9457) whose `code` is one of those that the operation can have.
enum ErrorAnswers {
  /// Of what comes before an operation: HTTP itself, and who may use the daemon.
  private static let everywhere: [Int: [Problem.Code]] = [
    400: [.invalidRequest], 413: [.bodyTooLarge], 417: [.expectationFailed], 421: [.misdirectedRequest], 429: [.tooManyRequests],
    431: [.headerTooLarge], 500: [.internal],
  ]
  private static let withTokens: [Int: [Problem.Code]] = [401: [.unauthorized]]
  /// `forbidden`: a token that may only read, or a web page.
  private static let changing: [Int: [Problem.Code]] = [403: [.forbidden], 507: [.insufficientStorage]]
  private static let withBody: [Int: [Problem.Code]] = [408: [.requestTimeout]]
  private static let withStore: [Int: [Problem.Code]] = [503: [.unavailable]]

  private static let headers: [Int: [Operation.Header]] = [
    401: [Operation.Header(name: "WWW-Authenticate", schema: .text(pattern: "^Bearer "), description: "RFC 6750, section 3.")],
    416: [Operation.Header(name: "Content-Range", schema: .text(pattern: #"^bytes \*/\d+$"#), description: "The file's size.")],
    429: [
      Operation.Header(
        name: "Retry-After", schema: .integer(1...), description: "Seconds to wait for.", isAlwaysThere: false)
    ],
  ]

  private static let descriptions: [Int: String] = [
    400: "A parameter or the form of the request can't be used.", 401: "The request needs a token.",
    403: "The token may only read, or the request comes from a web page of another site.", 404: "There is no such thing.",
    408: "The body comes too slowly.", 409: "The state doesn't allow this.", 410: "The file on the server's disk is damaged.",
    413: "The body is too large.", 415: "The body is of another media type.", 416: "The range has no byte in the file.",
    417: "`Expect` may only be `100-continue`.", 421: "Without tokens, the daemon is only for its own machine.",
    422: "The request is well-formed, and can't be done; `errors` names the fields.",
    429: "Too many jobs wait, too much is asked at once, or too many wrong tokens came from the address.",
    431: "The header is too large.", 500: "A defect of gptqd; its log has more.",
    503: "Not now; the daemon stops, or its store can't be used.",
    507: "The disk is full, or too small for the job.",
  ]

  /// Codes by status.
  static func codes(of operation: Operation) -> [Int: [Problem.Code]] {
    var groups = [everywhere, operation.errors]
    if !operation.isOpen { groups += [withTokens, withStore] }
    if operation.method != .get && operation.method != .head { groups.append(changing) }
    if operation.body != nil { groups.append(withBody) }
    return groups.reduce(into: [:]) { all, group in all.merge(group) { $0 + $1 } }
  }

  /// A reference to the components where an answer is the same everywhere.
  static func json(_ status: Int, _ codes: [Problem.Code]) -> JSONValue {
    common[status] == codes ? ["$ref": .string("#/components/responses/\(name(status))")] : response(status, codes)
  }

  static var components: JSONValue {
    var object = JSONObject()
    for (status, codes) in common.sorted(by: { $0.key < $1.key }) { object[name(status)] = response(status, codes) }
    return .object(object)
  }

  private static let common = [everywhere, withTokens, changing, withBody, withStore].reduce(into: [:]) { $0.merge($1) { $0 + $1 } }

  private static func name(_ status: Int) -> String { "Error\(status)" }

  private static func response(_ status: Int, _ codes: [Problem.Code]) -> JSONValue {
    let choices = JSONValue.array(codes.map { .string($0.rawValue) })
    let schema: JSONValue = [
      "$ref": "#/components/schemas/Problem",
      "properties": ["status": ["const": .integer(Int64(status))], "code": ["enum": choices]],
    ]
    var object: JSONObject = ["description": .string(descriptions[status] ?? "An error.")]
    object["headers"] = headers[status]?.json
    object["content"] = ["application/problem+json": ["schema": schema]]
    return .object(object)
  }

  static let problem = Schema.object([
    .required("type", .text, "A name of this kind of problem: `about:blank#` and the code."),
    .required("title", .text), .required("status", .integer(400...599), "HTTP status code."), .required("detail", .text),
    .required("instance", .text, "Path of the request."),
    .required("code", .choice(of: Problem.Code.self), "Stable; what programs test for."),
    .optional(
      "errors",
      .list(
        of: .object([
          .required("pointer", .text, "JSON pointer (RFC 6901) into the body; `?name` for a query parameter."), .required("detail", .text),
        ])), "Each wrong field."),
  ]).described("RFC 9457.")
}
