import HTTPTypes
import JobModel

extension Area {
  static let models = Area(
    name: "Models", description: "Models that jobs can name: uploaded, or in the server's own folders.",
    operations: [
      Operation(
        method: .get, path: "/v1/models", id: "listModels", summary: "Models by name",
        parameters: [.afterName, .limit(1...1000, standard: 100)],
        answers: [.json(.page(of: "Model"), "A part of the list, without the models' files.")]),
      Operation(
        method: .get, path: "/v1/models/{name}", id: "getModel", summary: "A model with its files", parameters: [.resourceName],
        answers: [.json(.reference("Model"), "The model.")], errors: [404: [.modelNotFound]]),
      Operation(
        method: .delete, path: "/v1/models/{name}", id: "deleteModel", summary: "Deletes an uploaded model", parameters: [.resourceName],
        answers: [.gone], errors: deletionErrors(.modelNotFound)),
      Operation(
        method: .get, path: "/v1/models/{name}/files/{path}", id: "inspectModelFile",
        summary: "A file's size and hash, and how far its upload is",
        parameters: [.resourceName, .modelPath], answers: [.json(.reference("ModelFile"), "The file.", headers: .ofUploads)],
        errors: [404: [.modelNotFound]]),
      Operation(
        method: .put, path: "/v1/models/{name}/files/{path}", id: "uploadModelFile", summary: "Uploads a file, or a part of it",
        description: uploading, parameters: [.resourceName, .modelPath] + .ofUploads, body: .bytes, answers: uploaded("ModelFile"),
        errors: uploadErrors()),
      Operation(
        method: .delete, path: "/v1/models/{name}/files/{path}", id: "deleteModelFile", summary: "Deletes an uploaded file",
        parameters: [.resourceName, .modelPath], answers: [.gone], errors: deletionErrors(.modelNotFound)),
    ],
    schemas: ["Model": model, "ModelFile": file, "UploadProgress": progress])

  static let datasets = Area(
    name: "Datasets", description: "Text to calibrate and evaluate with: JSON Lines, uploaded or in the server's own folders.",
    operations: [
      Operation(
        method: .get, path: "/v1/datasets", id: "listDatasets", summary: "Datasets by name",
        parameters: [.afterName, .limit(1...1000, standard: 100)],
        answers: [.json(.page(of: "Dataset"), "A part of the list.")]),
      Operation(
        method: .get, path: "/v1/datasets/{name}", id: "getDataset", summary: "A dataset, and how far its upload is",
        parameters: [.resourceName], answers: [.json(.reference("Dataset"), "The dataset.", headers: .ofUploads)],
        errors: [404: [.datasetNotFound]]),
      Operation(
        method: .put, path: "/v1/datasets/{name}", id: "uploadDataset", summary: "Uploads a dataset, or a part of it",
        description: uploading + " Each line is checked while it comes; the first that can't be used is named.",
        parameters: [.resourceName] + .ofUploads, body: .bytes, answers: uploaded("Dataset"),
        errors: uploadErrors(unprocessable: [.invalidDataset])),
      Operation(
        method: .delete, path: "/v1/datasets/{name}", id: "deleteDataset", summary: "Deletes an uploaded dataset",
        parameters: [.resourceName], answers: [.gone], errors: deletionErrors(.datasetNotFound)),
    ],
    schemas: ["Dataset": dataset])

  private static let uploading = """
    The body is streamed to disk and takes the place of an earlier file at once, when all of it is there and right. What was cut off is kept \
    and goes on with `Content-Range`, from the `Upload-Offset` that GET tells.
    """

  private static func uploaded(_ schema: String) -> [Operation.Answer] {
    [
      .json(.reference(schema), "It took the place of an earlier one.", headers: .ofUploads),
      .json(.reference(schema), "It is there, and durable.", status: 201, headers: .ofUploads + [.uploadLocation]),
      .json(.reference(schema), "The part is there, and durable; the whole isn't.", status: 202, headers: .ofUploads),
    ]
  }

  private static func uploadErrors(unprocessable: [Problem.Code] = []) -> [Int: [Problem.Code]] {
    var errors: [Int: [Problem.Code]] = [
      400: [.digestMismatch], 409: [.conflict, .inUse, .uploadInProgress, .uploadUnfinished, .uploadOffset],
      415: [.unsupportedMediaType], 429: [.tooManyUploads],
    ]
    if !unprocessable.isEmpty { errors[422] = unprocessable }
    return errors
  }

  private static func deletionErrors(_ missing: Problem.Code) -> [Int: [Problem.Code]] {
    [404: [missing], 409: [.conflict, .inUse, .uploadInProgress, .uploadUnfinished]]
  }

  private static let source = Schema.text.with("enum", ["uploaded", "root"])

  private static let model = Schema.object([
    .required("name", .text), .required("source", source, "`root`: found in `models.roots`."), .required("deletable", .boolean),
    .required("size", .count, "Bytes of its files."), .required("file_count", .count),
    .required("unfinished", .count, "Files whose upload isn't finished."),
    .optional("files", .list(of: .reference("ModelFile")), "Absent in lists."),
  ])

  private static let file = Schema.object([
    .required("path", .text), .optional("size", .count, "Bytes; absent while the first upload isn't finished."),
    .optional("sha256", .sha256, "Absent for one that wasn't uploaded."), .optional("uploaded_at", .time),
    .optional("upload", .reference("UploadProgress"), "Of a first or a new version."),
  ])

  private static let dataset = Schema.object([
    .required("name", .text), .required("source", source, "`root`: found in `datasets.roots`."), .required("deletable", .boolean),
    .optional("size", .count, "Bytes; absent while the first upload isn't finished."),
    .optional("sha256", .sha256, "Absent for one that wasn't uploaded."), .optional("rows", .count), .optional("uploaded_at", .time),
    .optional("upload", .reference("UploadProgress"), "Of a first or a new version."),
  ])

  private static let progress = Schema.object([
    .required("received", .count, "Bytes; the next one to send is the one after these."), .optional("size", .count, "Bytes of the whole."),
    .optional("sha256", .sha256, "As the client promised it."), .required("at", .time, "When the last bytes came."),
  ])
}

extension Operation.Answer {
  fileprivate static let gone = Operation.Answer(status: 204, description: "It is gone.")
}

extension Operation.Body {
  fileprivate static let bytes = Operation.Body(
    content: ["application/octet-stream": .anything], description: "The file's bytes, under any media type but that of forms.")
}

extension Operation.Parameter {
  fileprivate static let resourceName = path(
    "name", .text(pattern: "^(?!\\.)[A-Za-z0-9._-]{1,96}$"), "Letters, digits, dots, dashes and underscores.")
  fileprivate static let modelPath = path(
    "path", .text(pattern: #"^(?!\.)[A-Za-z0-9._-]{1,96}(/(?!\.)[A-Za-z0-9._-]{1,96}){0,7}$"#), "Up to 8 names with slashes between.")
  fileprivate static let afterName = query("after", "The `last_id` of the part before.")
}

extension [Operation.Parameter] {
  private static let digest = "^sha-256=:[A-Za-z0-9+/]{43}=:$"

  fileprivate static let ofUploads: [Operation.Parameter] = [
    .header("Content-Range", .text(pattern: "^bytes [0-9]+-[0-9]+/[0-9]+$"), "`bytes FIRST-LAST/SIZE` of a part."),
    .header("Repr-Digest", .text(pattern: digest), "Of the whole file (RFC 9530)."),
    .header("Content-Digest", .text(pattern: digest), "Of this body (RFC 9530)."),
  ]
}

extension Operation.Header {
  fileprivate static let uploadLocation = Operation.Header(
    name: "Location", schema: .text(pattern: "^/v1/(models|datasets)/"), description: "The path of the request.")
}

extension [Operation.Header] {
  fileprivate static let ofUploads = [
    Operation.Header(name: "Upload-Complete", schema: .text(pattern: #"^\?[01]$"#), description: "`?1`: all of it is there."),
    Operation.Header(name: "Upload-Offset", schema: .integer(0...), description: "Bytes that are there."),
    Operation.Header(name: "Upload-Length", schema: .integer(0...), description: "Bytes of the whole.", isAlwaysThere: false),
  ]
}
