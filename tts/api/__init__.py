"""OpenAI's speech API over the service: POST /v1/audio/speech, its voices and models.

reading (bytes -> JSON) -> schema (is it right?) -> asking (-> SpeechRequest) -> the service
-> answers (whole, as it comes, or as events); whatever goes wrong -> problems
"""
