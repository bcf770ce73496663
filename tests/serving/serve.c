/* Answers one request from a SavedModel through TensorFlow's C API: no Python, as a server would.
 *
 *   serve MODEL_DIRECTORY LIBRARY... --input TENSOR... --output TENSOR...
 *
 * Every LIBRARY holds ops (those of tensorflow_text). Every input is a vector of strings, read from standard input:
 * their number, and for each string its length, a newline and its bytes, so that any byte can be in it. Every output is
 * written to standard output: data type, rank and dimensions in one line, then one line for each number, or, for each
 * string, its length, a newline, its bytes and a newline.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

#define LIMIT 64

static void fail(const char *where, const char *why) {
  fprintf(stderr, "%s: %s\n", where, why);
  exit(1);
}

static void check(const char *where, TF_Status *status) {
  if (TF_GetCode(status) != TF_OK) fail(where, TF_Message(status));
}

/* "name:index" is output `index` of the operation `name`. */
static TF_Output find(TF_Graph *graph, const char *tensor) {
  char name[512];
  const char *colon = strrchr(tensor, ':');
  if (!colon || colon - tensor >= (long)sizeof name) fail(tensor, "expected NAME:INDEX");
  snprintf(name, sizeof name, "%.*s", (int)(colon - tensor), tensor);
  TF_Output output = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (!output.oper) fail(tensor, "no such operation in the graph");
  return output;
}

static TF_Tensor *read_strings(void) {
  int64_t count;
  size_t length;
  if (scanf("%" SCNd64, &count) != 1) fail("standard input", "expected the number of strings");
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, &count, 1, count * sizeof(TF_TString));
  TF_TString *strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; i++) {
    if (scanf("%zu", &length) != 1 || getchar() != '\n') fail("standard input", "expected the length of a string");
    char *bytes = malloc(length + 1);
    if (fread(bytes, 1, length, stdin) != length) fail("standard input", "a string ends too early");
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], bytes, length);
    free(bytes);
  }
  return tensor;
}

static void write_tensor(const TF_Tensor *tensor) {
  const void *data = TF_TensorData(tensor);
  TF_DataType type = TF_TensorType(tensor);
  printf("%d %d", type, TF_NumDims(tensor));
  for (int i = 0; i < TF_NumDims(tensor); i++) printf(" %" PRId64, TF_Dim(tensor, i));
  printf("\n");
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
    if (type == TF_STRING) {
      const TF_TString *string = (const TF_TString *)data + i;
      printf("%zu\n", TF_StringGetSize(string));
      fwrite(TF_StringGetDataPointer(string), 1, TF_StringGetSize(string), stdout);
      printf("\n");
    } else if (type == TF_FLOAT) {
      printf("%.9g\n", ((const float *)data)[i]);
    } else if (type == TF_INT32) {
      printf("%" PRId32 "\n", ((const int32_t *)data)[i]);
    } else if (type == TF_INT64) {
      printf("%" PRId64 "\n", ((const int64_t *)data)[i]);
    } else if (type == TF_BOOL) {
      printf("%d\n", ((const bool *)data)[i]);
    } else {
      fail("output", "expected string, float32, int32, int64 or bool");
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage", "serve MODEL_DIRECTORY LIBRARY... --input TENSOR... --output TENSOR...");
  TF_Status *status = TF_NewStatus();
  int next = 2;
  for (; next < argc && strcmp(argv[next], "--input"); next++) {
    TF_LoadLibrary(argv[next], status);
    check(argv[next], status);
  }

  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tag = "serve";
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], &tag, 1, graph, NULL, status);
  check(argv[1], status);

  TF_Output inputs[LIMIT], outputs[LIMIT];
  TF_Tensor *values[LIMIT], *answers[LIMIT];
  int input_count = 0, output_count = 0;
  for (next++; next < argc && strcmp(argv[next], "--output") && input_count < LIMIT; next++) {
    values[input_count] = read_strings();
    inputs[input_count++] = find(graph, argv[next]);
  }
  for (next++; next < argc && output_count < LIMIT; next++) outputs[output_count++] = find(graph, argv[next]);

  TF_SessionRun(session, NULL, inputs, values, input_count, outputs, answers, output_count, NULL, 0, NULL, status);
  check("TF_SessionRun", status);
  for (int i = 0; i < output_count; i++) write_tensor(answers[i]);

  for (int i = 0; i < input_count; i++) TF_DeleteTensor(values[i]);
  for (int i = 0; i < output_count; i++) TF_DeleteTensor(answers[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
