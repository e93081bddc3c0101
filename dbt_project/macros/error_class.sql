{#-
    Whose error it is, told from its message, which Inspect writes as Python's
    repr of the exception, and from its traceback. The first rule that applies
    decides, so that a grader's model that is overloaded is an error of a model
    and not of the scorer, and a sandbox that could not be scheduled one of the
    sandbox and not of the infrastructure.
-#}
{% macro error_class(message, traceback) -%}
    {%- set text = "concat_ws(E'\\n', " ~ message ~ ", " ~ traceback ~ ")" -%}
    case
        when
            {{ message }}
            ~ '^(LimitExceededError|SampleLimitExceeded|TerminateSampleError)'
            then 'limit'
        when
            {{ message }} ~* '\y(sandbox|k8s|pod|helm|docker)\y'
            or {{ message }} ~ '^Sandbox'
            or {{ message }} ~ '^(PodError|K8sError|OutputLimitExceeded)'
            or {{ text }} ~ '(util/_sandbox/|k8s_sandbox/|inspect_sandbox)'
            then 'sandbox'
        when
            {{ message }} ~ '^(RateLimit|APIStatus|APIConnection|APITimeout)'
            or {{ message }} ~ '^(APIResponseValidation|InternalServer)'
            or {{ message }} ~ '^(BadRequest|Authentication|NotFound)Error'
            or {{ message }} ~ '^(PermissionDenied|UnprocessableEntity)'
            or {{ message }} ~ '^(Overloaded|ServiceUnavailable|APIError)'
            or {{ text }} ~ '(inspect_ai/model/|/openai/_|/anthropic/_)'
            or {{ text }} ~ '/google/genai/'
            then 'model'
        when {{ text }} ~ '(inspect_ai/scorer/|[(]scorer[)]|, in score\y)'
            then 'scorer'
        when
            {{ message }} ~ '^(MemoryError|BrokenPipe|Connection|Timeout)'
            or {{ message }} ~ '^(OSError|EndpointConnectionError|SSLError)'
            or {{ message }} ~ '^(ClientError|NoCredentialsError)'
            or {{ message }} ~* '(no space left|out of memory|oom.?killed)'
            then 'infrastructure'
        else 'other'
    end
{%- endmacro %}
