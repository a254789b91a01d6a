from django.urls import path

from . import views

urlpatterns = [
    path("announce/<int:pk>", views.announce),
    path("say/<text>", views.say),
    path("asay/<text>", views.asay),
    path("press/<int:key>", views.press),
]
